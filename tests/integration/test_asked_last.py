"""The suppliers of the demo that offer little and are asked last, through real processes."""

import pytest

from tests.live.platform import Platform

pytestmark = pytest.mark.integration

_OFFER = """
SELECT variant.sku, offer.supplier_sku, offer.rank
  FROM suppliers_supplieroffer AS offer
  JOIN suppliers_supplier AS supplier ON supplier.id = offer.supplier_id
  JOIN catalog_variant AS variant ON variant.id = offer.variant_id
  JOIN catalog_product AS product ON product.id = variant.product_id
 WHERE supplier.code = %s AND product.slug = %s
 ORDER BY variant.position LIMIT 1
"""


@pytest.mark.parametrize(("supplier", "slug", "rank"), [("shanhe", "jx3", 3), ("huayu", "xmind", 4)])
def test_what_the_first_ones_refuse_the_last_one_delivers(
    platform: Platform, supplier: str, slug: str, rank: int
) -> None:
    sku, theirs, asked_as = platform.sql(_OFFER, [supplier, slug])[0]
    assert asked_as == rank
    platform.suppliers("reject", "xinghe", "lantian", "yunka", "baihe")
    shopper = platform.shopper()
    account = {field["name"]: field["example"] for field in shopper.product(slug)["account_fields"]}
    number = shopper.place(sku, account)
    platform.pay("alipay", shopper.open(number).number)
    assert shopper.wait(number).status == "fulfilled"
    (row,) = [row for row in platform.sandbox.book("suppliers", supplier) if row["sku"] == theirs]
    assert (row["times"], row["state"]) == (1, "succeeded")
    if row["codes"]:
        assert list(shopper.reveal(number)) == row["codes"]
