"""A list turns a line into something that may not be sold: nobody buys it there, until a person has looked."""

from decimal import Decimal
from typing import Any

import pytest

from compliance.gate.models import Case
from compliance.gate.services import case_decide
from fulfillment.suppliers.choosing import offers_order
from fulfillment.suppliers.models import PriceChange, Supplier
from fulfillment.suppliers.price_lists import price_list_read
from resellers.models import Reseller
from tests.compliance.gate import CLEAR, DOUBTFUL, UNLAWFUL, doubtful_words
from tests.fulfillment.suppliers.lists import again, line, list_of, listed, offered, page

pytestmark = pytest.mark.usefixtures("listed_double")


def read(supplier: Supplier, **names: str) -> None:
    """A list with these names by code."""
    told: Any = [line(sku) for sku in names]
    lines = [type(one)(sku=one.sku, name=name, cost=one.cost) for one, name in zip(told, names.values(), strict=True)]
    list_of(supplier.code, page(*lines))
    price_list_read(supplier_id=supplier.pk)


def test_what_a_line_is_called_decides_whether_anybody_buys_there(shop: Reseller) -> None:
    doubtful_words()
    supplier = listed()
    offer = offered(supplier, "A", rank=1)
    others = offered(listed("listed-2"), "B", variant=offer.variant, cost="56", rank=2)

    def order() -> list[int]:
        return offers_order(variant_id=offer.variant_id, highest_cost=Decimal(60))

    read(supplier, A=CLEAR, N=CLEAR)
    assert (again(offer).listed_name, again(offer).standing, order()) == (CLEAR, "clear", [offer.pk, others.pk])
    read(supplier, A=UNLAWFUL, N=CLEAR, X=UNLAWFUL, Y=DOUBTFUL)
    assert (again(offer).standing, order()) == ("blocked", [others.pk])
    assert again(offer).variant.cost == Decimal(56)
    new = PriceChange.objects.filter(field="new").order_by("pk").values_list("supplier_sku", "verdict")
    assert list(new) == [("N", "clear"), ("X", "blocked"), ("Y", "flagged")]
    read(supplier, A=DOUBTFUL)
    case = Case.objects.get(state="open")
    assert (again(offer).standing, case.kind, case.title) == ("flagged", "rescreened", f"{DOUBTFUL} ← {supplier.name}")
    case_decide(case_id=case.pk, digest=case.digest, to="approved", actor="staff:li")
    assert (again(offer).standing, order()) == ("clear", [offer.pk, others.pk])
    read(supplier, A=UNLAWFUL)
    read(supplier, A=CLEAR)
    assert (again(offer).standing, Case.objects.filter(state="open").count()) == ("clear", 0)
