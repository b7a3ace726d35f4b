"""The adapters of a codes-only shop and of a described supplier, end to end: what the other protocols do not have."""

import time
from dataclasses import replace
from decimal import Decimal

import pytest

from fulfillment.suppliers.base import AccountVerdict, OutcomeKind, SupplierSilent
from fulfillment.suppliers.reasons import Reason
from tests.fulfillment.suppliers.test_against_sandbox import (
    SKU,
    Supplier,
    sandbox,  # noqa: F401 - a fixture
    supplier,  # noqa: F401 - a fixture
)

huayu = pytest.mark.parametrize("supplier", ["huayu"], indirect=True)
shanhe = pytest.mark.parametrize("supplier", ["shanhe"], indirect=True)
yuanyang = pytest.mark.parametrize("supplier", ["yuanyang"], indirect=True)
haitang = pytest.mark.parametrize("supplier", ["haitang"], indirect=True)
both = pytest.mark.parametrize("supplier", ["huayu", "shanhe"], indirect=True)


@huayu
@pytest.mark.parametrize("quantity", [1, 3])
def test_codes_come_with_the_reply(supplier: Supplier, quantity: int) -> None:  # noqa: F811
    supplier.price("9.60")
    attempt = supplier.attempt(codes=quantity)
    outcome = supplier.adapter.submit(attempt)
    booked = supplier.booked(attempt)
    assert booked is not None
    assert (outcome.kind, list(outcome.items)) == (OutcomeKind.DELIVERED, booked["codes"])
    assert outcome.cost == Decimal(booked["charged"]) == Decimal("9.60") * quantity
    assert not any(code in outcome.evidence + repr(outcome) for code in outcome.items)
    again = supplier.adapter.query(replace(attempt, supplier_reference=outcome.supplier_reference))
    assert (again.kind, again.items) == (OutcomeKind.DELIVERED, outcome.items)


@huayu
def test_goods_served_by_hand_are_a_promise_until_they_are_there(supplier: Supplier) -> None:  # noqa: F811
    supplier.behave(mode="async", latency_ms=300)
    attempt = supplier.attempt(codes=1)
    submitted = supplier.adapter.submit(attempt)
    assert (submitted.kind, submitted.items) == (OutcomeKind.ACCEPTED, ())
    outcome = supplier.settled(attempt, submitted)
    booked = supplier.booked(attempt)
    assert booked is not None
    assert (outcome.kind, list(outcome.items)) == (OutcomeKind.DELIVERED, booked["codes"])


@huayu
@pytest.mark.parametrize("mode", ["charge_then_500", "charge_then_reset", "malformed"])
def test_a_lost_reply_stays_unknown_and_the_number_buys_nothing_twice(
    supplier: Supplier,  # noqa: F811
    mode: str,
) -> None:
    supplier.behave(mode=mode, **({"variant": "truncated"} if mode == "malformed" else {}))
    attempt = supplier.attempt(codes=1)
    assert supplier.adapter.submit(attempt).kind is OutcomeKind.UNKNOWN
    supplier.behave(mode="ok")
    assert (supplier.adapter.query(attempt).kind, supplier.adapter.query(attempt).code) == (
        OutcomeKind.UNKNOWN,
        Reason.NO_REFERENCE,
    )
    again = supplier.adapter.submit(attempt)
    assert (again.kind, again.code) == (OutcomeKind.UNKNOWN, Reason.DUPLICATE)
    booked = supplier.booked(attempt)
    assert booked is not None
    assert booked["times"] == 1


@huayu
@pytest.mark.parametrize(
    ("reason", "code", "eliminates"),
    [
        ("stock", Reason.OUT_OF_STOCK, False),
        ("product", Reason.PRODUCT_UNAVAILABLE, False),
        ("price", Reason.PRODUCT_UNAVAILABLE, False),
        ("account", Reason.BAD_REQUEST, False),
        ("balance", Reason.NO_BALANCE, True),
        ("credentials", Reason.BAD_CREDENTIALS, True),
    ],
)
def test_a_shop_refuses_and_charges_nothing(
    supplier: Supplier,  # noqa: F811
    reason: str,
    code: Reason,
    eliminates: bool,
) -> None:
    supplier.behave(mode="reject", reason=reason)
    attempt = supplier.attempt(codes=1)
    outcome = supplier.adapter.submit(attempt)
    assert (outcome.kind, outcome.code, outcome.eliminates) == (OutcomeKind.REFUSED, code, eliminates)
    assert supplier.booked(attempt) is None


@huayu
def test_a_closed_shop_frees_the_purchase(supplier: Supplier) -> None:  # noqa: F811
    supplier.behave(mode="down")
    attempt = supplier.attempt(codes=1)
    assert supplier.adapter.submit(attempt).kind is OutcomeKind.NOT_SENT
    supplier.behave(mode="ok")
    assert supplier.booked(attempt) is None


@huayu
def test_too_few_codes_of_a_shop_are_no_delivery(supplier: Supplier) -> None:  # noqa: F811
    supplier.behave(mode="malformed", variant="few")
    outcome = supplier.adapter.submit(supplier.attempt(codes=2))
    assert (outcome.kind, outcome.code, outcome.items) == (OutcomeKind.UNKNOWN, Reason.WRONG_COUNT, ())
    assert outcome.supplier_reference


@huayu
def test_a_kind_of_a_product_is_listed_priced_and_bought(supplier: Supplier) -> None:  # noqa: F811
    supplier.sandbox.control("suppliers/huayu/prices", {"VIP1": "3.00", "VIP2:月卡": "16.50"})
    listed = {line.sku: line.cost for line in supplier.adapter.products("").products}
    assert listed == {"VIP1": Decimal("3.0"), "VIP2:月卡": Decimal("16.50")}
    assert supplier.adapter.price("VIP2:月卡") == Decimal("16.50")
    attempt = supplier.attempt(codes=1, sku="VIP2:月卡")
    assert supplier.adapter.submit(attempt).kind is OutcomeKind.DELIVERED
    booked = supplier.booked(attempt)
    assert booked is not None
    assert (booked["sku"], booked["charged"]) == ("VIP2:月卡", "16.50")


@both
def test_prices_and_balance_are_told(supplier: Supplier) -> None:  # noqa: F811
    supplier.price("12.34")
    supplier.behave(mode="ok", balance="100.50")
    assert supplier.adapter.balance() == Decimal("100.50")
    assert supplier.adapter.price(SKU) == Decimal("12.34")
    assert supplier.adapter.price("NO-THING") is None
    (line,) = supplier.adapter.products("").products
    assert (line.sku, line.cost, line.is_available) == (SKU, Decimal("12.34"), True)


@shanhe
def test_the_price_list_has_pages(supplier: Supplier) -> None:  # noqa: F811
    supplier.sandbox.control("suppliers/shanhe/prices", {f"G{number}": "1.00" for number in range(120)})
    skus, cursor, pages = [], "", 0
    while cursor or not pages:
        page = supplier.adapter.products(cursor)
        skus += [line.sku for line in page.products]
        cursor, pages = page.next_cursor, pages + 1
    assert (pages, len(skus), len(set(skus))) == (3, 120, 120)


@shanhe
@pytest.mark.parametrize(
    ("uid", "verdict", "nickname"),
    [
        ("482019375", AccountVerdict.OK, "山河玩家75"),
        ("00000000", AccountVerdict.NOT_FOUND, ""),
        ("482019404", AccountVerdict.NOT_FOUND, ""),
        ("482019403", AccountVerdict.WRONG_REGION, ""),
        ("482019429", AccountVerdict.LIMIT_REACHED, ""),
        ("", AccountVerdict.NOT_FOUND, ""),
    ],
)
def test_an_account_is_checked_before_anybody_pays(
    supplier: Supplier,  # noqa: F811
    uid: str,
    verdict: AccountVerdict,
    nickname: str,
) -> None:
    checked = supplier.adapter.check_account(SKU, {"uid": uid, "server": "手Q一百二十区"})
    assert (checked.verdict, checked.nickname) == (verdict, nickname)


@shanhe
@pytest.mark.parametrize(
    ("region", "verdict"),
    [
        ({"zone": "sx"}, AccountVerdict.OK),
        ({"server": "sx"}, AccountVerdict.OK),
        ({"zone": "dx"}, AccountVerdict.WRONG_REGION),
        ({}, AccountVerdict.WRONG_REGION),
    ],
)
def test_an_account_is_checked_in_the_region_that_was_chosen(
    supplier: Supplier,  # noqa: F811
    region: dict[str, str],
    verdict: AccountVerdict,
) -> None:
    assert supplier.adapter.check_account(SKU, {"account": "jianxia403", **region}).verdict is verdict


@shanhe
def test_a_check_that_cannot_be_made_says_nothing(supplier: Supplier) -> None:  # noqa: F811
    supplier.behave(mode="down")
    assert supplier.adapter.check_account(SKU, {"uid": "482019375"}).verdict is AccountVerdict.UNAVAILABLE


@shanhe
def test_a_callback_tells_the_end_and_a_failed_one_only_rings(supplier: Supplier) -> None:  # noqa: F811
    good, bad = supplier.attempt(), supplier.attempt(account={"uid": "00000000"})
    for attempt in (good, bad):
        supplier.adapter.submit(attempt)
    end = time.monotonic() + 10
    while len(supplier.doorbell.rung) < 2 and time.monotonic() < end:
        time.sleep(0.05)
    claims = [supplier.adapter.parse_callback(headers=h, body=b) for h, b in supplier.doorbell.rung]
    told = {claim.reference: claim.outcome for claim in claims}
    assert told[bad.reference] is None
    assert told[good.reference] is not None
    assert told[good.reference].kind is OutcomeKind.DELIVERED  # type: ignore[union-attr]


@yuanyang
@pytest.mark.parametrize(
    ("number", "kind"),
    [("+6595123100", OutcomeKind.DELIVERED), ("+6595123202", OutcomeKind.FAILED), ("+6595123307", OutcomeKind.FAILED)],
)
def test_the_last_digits_of_a_number_choose_the_end(
    supplier: Supplier,  # noqa: F811
    number: str,
    kind: OutcomeKind,
) -> None:
    supplier.behave(mode="ok", delivery_ms=100)
    attempt = supplier.attempt(account={"phone": number})
    outcome = supplier.settled(attempt, supplier.adapter.submit(attempt))
    assert outcome.kind is kind
    booked = supplier.booked(attempt)
    assert booked is not None
    assert Decimal(booked["charged"]) == (10 if kind is OutcomeKind.DELIVERED else 0)


@yuanyang
def test_those_digits_take_the_time_that_they_ask_for(supplier: Supplier) -> None:  # noqa: F811
    attempt = supplier.attempt(account={"phone": "+6595123301"})
    submitted = supplier.adapter.submit(attempt)
    time.sleep(0.5)
    known = replace(attempt, supplier_reference=submitted.supplier_reference)
    assert supplier.adapter.query(known).kind is OutcomeKind.ACCEPTED
    assert supplier.adapter.query(attempt).kind is OutcomeKind.ACCEPTED


@yuanyang
def test_a_number_that_completes_with_a_pin_is_no_top_up(supplier: Supplier) -> None:  # noqa: F811
    supplier.behave(mode="ok", delivery_ms=50)
    attempt = supplier.attempt(account={"phone": "+6595123101"})
    submitted = supplier.adapter.submit(attempt)
    time.sleep(0.5)
    outcome = supplier.adapter.query(replace(attempt, supplier_reference=submitted.supplier_reference))
    assert (outcome.kind, outcome.code) == (OutcomeKind.UNKNOWN, Reason.UNKNOWN_STATE)
    voucher = supplier.attempt(codes=1, account={"phone": "+6595123101"})
    assert supplier.settled(voucher, supplier.adapter.submit(voucher)).kind is OutcomeKind.DELIVERED


@yuanyang
def test_prices_and_balance_abroad_are_in_dollars(supplier: Supplier) -> None:  # noqa: F811
    supplier.sandbox.control("suppliers/yuanyang/prices", {str(10000 + number): "1.25" for number in range(120)})
    supplier.behave(mode="ok", balance="100.50")
    assert supplier.adapter.balance() == Decimal("100.5")
    assert supplier.adapter.price("10007") == Decimal("1.25")
    skus, cursor, pages = [], "", 0
    while cursor or not pages:
        page = supplier.adapter.products(cursor)
        skus += [line.sku for line in page.products]
        cursor, pages = page.next_cursor, pages + 1
    assert (pages, len(skus), len(set(skus))) == (3, 120, 120)


@yuanyang
@pytest.mark.parametrize(
    ("phone", "verdict"),
    [
        ("+6598123456", AccountVerdict.OK),
        ("13812345678", AccountVerdict.OK),
        ("+6598123404", AccountVerdict.NOT_FOUND),
        ("+6598123403", AccountVerdict.UNAVAILABLE),
        ("12", AccountVerdict.UNAVAILABLE),
    ],
)
def test_a_number_is_looked_up_before_anybody_pays(
    supplier: Supplier,  # noqa: F811
    phone: str,
    verdict: AccountVerdict,
) -> None:
    assert supplier.adapter.check_account(SKU, {"phone": phone}).verdict is verdict


@haitang
def test_cards_and_airtime_are_listed_priced_and_bought_at_that_price(supplier: Supplier) -> None:  # noqa: F811
    prices = {"CN:86:10": "9.70", "CN:87:5": "5.25", "10001:25": "26.40", "10001:50": "52.00"}
    supplier.sandbox.control("suppliers/haitang/prices", prices)
    supplier.behave(mode="ok", balance="100.50")
    listed: dict[str, Decimal | None] = {}
    cursor = ""
    while True:
        page = supplier.adapter.products(cursor)
        listed |= {line.sku: line.cost for line in page.products}
        if not (cursor := page.next_cursor):
            break
    assert listed == {sku: Decimal(price) for sku, price in prices.items()}
    assert {sku: supplier.adapter.price(sku) for sku in prices} == listed
    assert [supplier.adapter.price(sku) for sku in ("CN:88:10", "CN:86:11", "10002:25")] == [None] * 3
    for sku, codes in (("CN:87:5", 0), ("10001:50", 1)):
        attempt = supplier.attempt(codes=codes, sku=sku)
        outcome = supplier.settled(attempt, supplier.adapter.submit(attempt))
        assert (outcome.kind, outcome.cost) == (OutcomeKind.DELIVERED, listed[sku])
    assert supplier.adapter.balance() == Decimal("43.25")


@haitang
@pytest.mark.parametrize(
    ("sku", "phone", "verdict"),
    [
        ("CN:86:10", "13812345678", AccountVerdict.OK),
        ("CN:86:10", "13812345677", AccountVerdict.WRONG_REGION),
        ("CN:87:10", "13812345678", AccountVerdict.WRONG_REGION),
        ("US:86:10", "13812345678", AccountVerdict.UNAVAILABLE),
        ("CN:99:10", "13812345678", AccountVerdict.UNAVAILABLE),
    ],
)
def test_a_phone_is_known_by_its_operator(
    supplier: Supplier,  # noqa: F811
    sku: str,
    phone: str,
    verdict: AccountVerdict,
) -> None:
    supplier.sandbox.control("suppliers/haitang/prices", {"CN:86:10": "9.70", "CN:87:10": "9.70"})
    assert supplier.adapter.check_account(sku, {"phone": phone}).verdict is verdict


@haitang
def test_a_sandbox_that_forgot_its_tokens_is_signed_in_to_again(supplier: Supplier) -> None:  # noqa: F811
    assert supplier.adapter.balance() is not None
    supplier.sandbox.control("reset", {})
    attempt = supplier.attempt()
    assert supplier.settled(attempt, supplier.adapter.submit(attempt)).kind is OutcomeKind.DELIVERED
    booked = supplier.booked(attempt)
    assert booked is not None
    assert booked["times"] == 1


@pytest.mark.parametrize("supplier", ["xinghe"], indirect=True)
def test_the_goods_of_a_platform_are_listed_and_priced(supplier: Supplier) -> None:  # noqa: F811
    supplier.sandbox.control("suppliers/xinghe/prices", {"10001": "48.50", "steam-wallet-50": "9.7"})
    listed = {line.sku: line.cost for line in supplier.adapter.products("").products}
    assert listed == {"10001": Decimal("48.5"), "steam-wallet-50": Decimal("9.7")}
    assert {sku: supplier.adapter.price(sku) for sku in listed} == listed
    assert supplier.adapter.price("NO-THING") is None
    supplier.behave(mode="down")
    with pytest.raises(SupplierSilent):
        supplier.adapter.price("10001")


@pytest.mark.parametrize("supplier", ["xinghe", "yunka", "huayu", "shanhe", "haitang"], indirect=True)
def test_what_is_left_is_sold_and_then_refused(supplier: Supplier) -> None:  # noqa: F811
    sku = supplier.skus[1]
    supplier.price("9.60")
    supplier.sandbox.control(f"suppliers/{supplier.code}/stock", {sku: 2})
    too_many = supplier.adapter.submit(supplier.attempt(codes=3))
    assert (too_many.kind, too_many.code, too_many.eliminates) == (OutcomeKind.REFUSED, Reason.OUT_OF_STOCK, False)
    attempt = supplier.attempt(codes=2)
    assert supplier.settled(attempt, supplier.adapter.submit(attempt)).kind is OutcomeKind.DELIVERED
    sold_out = supplier.attempt(codes=1)
    assert supplier.adapter.submit(sold_out).code == Reason.OUT_OF_STOCK
    assert supplier.booked(sold_out) is None
    listed = {line.sku: line for line in supplier.adapter.products("").products}
    assert sku not in listed or listed[sku].stock == 0 or not listed[sku].is_available
    supplier.sandbox.control(f"suppliers/{supplier.code}/stock", {sku: None})
    assert supplier.adapter.submit(sold_out).kind in {OutcomeKind.ACCEPTED, OutcomeKind.DELIVERED}


@pytest.mark.parametrize("supplier", ["yunka"], indirect=True)
def test_an_order_that_is_taken_back_is_there_again(supplier: Supplier) -> None:  # noqa: F811
    supplier.price("9.60")
    supplier.behave(mode="async", latency_ms=3000)
    supplier.sandbox.control("suppliers/yunka/stock", {SKU: 3})
    attempt = supplier.attempt(codes=2)
    submitted = supplier.adapter.submit(attempt)
    assert [line.stock for line in supplier.adapter.products("").products] == [1]
    supplier.adapter.cancel(replace(attempt, supplier_reference=submitted.supplier_reference))
    assert [line.stock for line in supplier.adapter.products("").products] == [3]
