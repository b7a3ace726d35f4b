"""From paid to delivered through real processes, while suppliers refuse."""

import pytest

from tests.live.buying import buy
from tests.live.platform import Platform

pytestmark = pytest.mark.integration


def test_the_second_supplier_delivers_what_the_first_refuses(platform: Platform) -> None:
    platform.suppliers("reject", "xinghe", "yunka")
    purchases = [
        buy(platform, kind, gateway, quantity=quantity)
        for kind, quantity in (("topup", 1), ("code", 2))
        for gateway in ("alipay", "wechatpay")
    ]
    for bought in purchases:
        bought.delivered_by(2)
        assert bought.charged == (0, 1)
        assert "supplier.rejected" not in bought.shopper.happened(bought.number)  # whom we asked is our business


def test_what_everybody_refuses_is_refunded_by_itself(platform: Platform) -> None:
    platform.suppliers("reject")
    purchases = [buy(platform, kind, gateway) for kind in ("topup", "code") for gateway in ("alipay", "wechatpay")]
    for bought in purchases:
        bought.refunded()
        order = bought.shopper.read(bought.number)
        assert order.lines == ("refunded",)
        assert order.refunds == ((bought.payment.number, "succeeded", bought.payment.amount),)


def test_a_refund_that_the_gateway_takes_its_time_for_is_followed_to_its_end(platform: Platform) -> None:
    platform.suppliers("reject")
    platform.sandbox.steer("gateways/alipay", refund="processing", refund_ms=1500)
    platform.sandbox.steer("gateways/wechatpay", refund_ms=1500)
    purchases = [buy(platform, "topup", gateway) for gateway in ("alipay", "wechatpay")]
    for bought in purchases:
        bought.refunded()
        assert len(bought.trade["refunds"]) == 1


def test_codes_from_our_own_shelf_arrive_without_asking_anybody(platform: Platform) -> None:
    platform.suppliers("down")
    (sku, product) = platform.sql(
        "SELECT variant.sku, product.slug FROM catalog_variant AS variant"
        " JOIN catalog_product AS product ON product.id = variant.product_id"
        " JOIN suppliers_supplieroffer AS offer ON offer.variant_id = variant.id"
        " JOIN suppliers_supplier AS supplier ON supplier.id = offer.supplier_id"
        " WHERE supplier.adapter = 'stock' ORDER BY variant.sku LIMIT 1"
    )[0]
    shoppers = [platform.shopper() for _ in range(3)]
    assert any(shown["sku"] == sku for shown in shoppers[0].product(product)["variants"])
    codes = []
    for shopper in shoppers:
        number = shopper.place(sku, {}, quantity=2)
        platform.pay("alipay", shopper.open(number).number)
        assert shopper.wait(number).status == "fulfilled"
        codes += shopper.reveal(number)
    assert len(set(codes)) == 6
