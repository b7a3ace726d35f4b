"""Papers of sellers: they count once an operator has held them against their scans, and only on their days."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from catalog.listings.shelf import key_now, shelf_now
from catalog.models import Brand, Product, Variant
from catalog.screened import product_screen
from compliance.gate.exceptions import UndoTooLate
from compliance.gate.models import Case
from compliance.models import License
from compliance.paper_desk import paper_claim, paper_claim_next, paper_release, paper_undo, paper_undoable
from compliance.papers import (
    PaperClaimed,
    PaperDecided,
    ReasonMissing,
    ScanUnseen,
    paper_confirm,
    paper_hand_in,
    paper_send_back,
    paper_take_back,
)
from compliance.scans.services import scan_open
from compliance.screening.brands import is_named
from compliance.selectors import license_state, papers_of_seller, permits_of
from compliance.services import Terms, license_add, license_revoke, licenses_watch, requirements_set
from compliance.trail.models import AuditEntry
from fulfillment.suppliers.models import SupplierOffer
from fulfillment.suppliers.screened import OFFERS
from fulfillment.suppliers.services import offer_save, supplier_pause, supplier_resume
from kameng.alerts.models import Alert
from kameng.core.problems import Invalid, NotFound
from orders.exceptions import SellerUnlicensed, SkuUnknown
from payments.models import Payment
from resellers.models import Reseller
from tests.compliance.gate import named, sold
from tests.compliance.test_scans import png
from tests.factories import on_sale, open_payment, place
from tests.flows import drain

pytestmark = pytest.mark.usefixtures("supplier_double", "gateway_double")

OWNER, LI, WANG = "staff:one/owner", "staff:li", "staff:wang"
SELLER = License.Holder.SELLER


@pytest.fixture
def variant(shop: Reseller) -> Variant:
    """Of the brand steam in the category games, which requires a brand paper of sellers."""
    brand = Brand.objects.create(slug="steam", name="Steam")
    found = on_sale(product__category__slug="games", product__brand=brand, max_quantity=1)
    requirements_set(category="games", kinds=["brand"], actor=LI, of=SELLER)
    return found


def terms(*, begins: int = -100, ends: int | None = 100, **more: object) -> Terms:
    """A paper of the brand, with its days counted from today."""
    today = timezone.localdate()
    until = None if ends is None else today + timedelta(days=ends)
    told: dict[str, Any] = {"kind": "brand", "number": "S-1", "issuer": "Valve", "brands": ("steam",)}
    return Terms(**{**told, "valid_from": today + timedelta(days=begins), "valid_until": until, **more})


def hand_in(former: License | None = None, **more: object) -> License:
    return paper_hand_in(
        seller="one", terms=terms(**more), uploads=[png()], by=OWNER,  # type: ignore[arg-type]
        former=former.pk if former else None,
    )  # fmt: skip


def confirm(paper: License) -> License:
    scan_open(scan_id=paper.scans.get().pk, actor=LI)
    return paper_confirm(license_id=paper.pk, actor=LI)


def shift(paper: License, days: int) -> None:
    """As if so many days had passed for a paper, and nobody had been told."""
    paper.refresh_from_db()
    for name in ("valid_from", "valid_until", "watched_on"):
        day = getattr(paper, name)
        setattr(paper, name, day and day - timedelta(days=days))
    paper.save(update_fields=["valid_from", "valid_until", "watched_on"])


def test_what_an_owner_hands_in_counts_once_somebody_has_held_it_against_its_scan(
    shop: Reseller, other_shop: Reseller, variant: Variant
) -> None:
    everywhere = on_sale()
    name = f"{variant.product.name} {variant.name}"
    assert sold(shop) == [f"{everywhere.product.name} {everywhere.name}"]
    with pytest.raises(Invalid) as refused:
        paper_hand_in(seller="one", terms=terms(), uploads=[], by=OWNER)
    assert "file" in refused.value.fields
    with pytest.raises(Invalid) as refused:
        hand_in(brands=())
    assert "brands" in refused.value.fields
    with pytest.raises(Invalid):
        paper_hand_in(seller="one", terms=terms(), uploads=[b"%PDF-1.7"], by=OWNER)
    assert not License.objects.exists()
    paper = hand_in()
    assert hand_in() == paper
    assert (license_state(paper), name in sold(shop)) == ("waiting", False)
    with pytest.raises(ScanUnseen):
        paper_confirm(license_id=paper.pk, actor=LI)
    confirm(paper)
    assert name in sold(shop)
    assert permits_of(other_shop).lacking("games", "steam", on=timezone.localdate()) == ["brand"]
    with pytest.raises(PaperDecided):
        confirm(paper)
    with pytest.raises(PaperDecided):
        paper_take_back(license_id=paper.pk, seller="one", by=OWNER)
    assert license_revoke(license_id=paper.pk, actor=LI, reasons=["K-05"], statement="不是你的")
    assert name not in sold(shop)
    actions = AuditEntry.objects.filter(subject=f"license:{paper.pk}").order_by("sequence")
    assert list(actions.values_list("action", "actor")) == [
        ("license.scan_added", OWNER), ("license.handed_in", OWNER), ("license.scan_seen", LI),
        ("license.confirmed", LI), ("license.scan_seen", LI), ("license.revoked", LI),
    ]  # fmt: skip
    # The platform's own shop needs no paper of a seller.
    Reseller.objects.filter(pk=shop.pk).update(is_house=True, revision=shop.revision + 99)
    shop.refresh_from_db()
    assert name in sold(shop)


def test_a_renewal_counts_in_the_place_of_the_former_one_when_it_is_confirmed(shop: Reseller, variant: Variant) -> None:
    former = confirm(hand_in())
    with pytest.raises(NotFound):
        paper_hand_in(seller="two", terms=terms(), uploads=[png()], by=OWNER, former=former.pk)
    renewal = hand_in(former, number="S-2", ends=400)
    with pytest.raises(Invalid):
        hand_in(former, number="S-3")
    assert len(sold(shop)) == 1
    with pytest.raises(ReasonMissing):
        paper_send_back(license_id=renewal.pk, actor=LI, reasons=["none"])
    paper_send_back(license_id=renewal.pk, actor=LI, reasons=["K-01"])
    assert len(sold(shop)) == 1
    with pytest.raises(PaperDecided):
        paper_confirm(license_id=renewal.pk, actor=LI)
    again = hand_in(renewal, number="S-2", ends=400)
    assert [paper.pk for paper in papers_of_seller("one")] == [again.pk, former.pk]
    renewal.refresh_from_db()
    assert "K-01" in renewal.statement
    confirm(again)
    former.refresh_from_db()
    assert (former.replaced_by, len(sold(shop))) == (again, 1)
    # What is taken back is never confirmed; one that was sent back is put away.
    spare = hand_in(number="S-9")
    paper_take_back(license_id=spare.pk, seller="one", by=OWNER)
    paper_take_back(license_id=spare.pk, seller="one", by=OWNER)
    with pytest.raises(PaperDecided):
        confirm(spare)
    with pytest.raises(NotFound):
        paper_take_back(license_id=again.pk, seller="two", by=OWNER)
    assert [paper.pk for paper in papers_of_seller("one")] == [again.pk]


def test_shelf_and_payment_say_the_same_of_every_paper(shop: Reseller, variant: Variant) -> None:
    paper = license_add(seller="one", terms=terms(), actor=LI)
    order = place(shop, variant)
    cases: list[tuple[dict[str, object], bool]] = [
        ({}, True), ({"ends": None}, True), ({"ends": 0}, True), ({"begins": 0}, True), ({"ends": -1}, False),
        ({"begins": 1}, False), ({"kind": "telecom"}, False), ({"brands": ()}, True), ({"brands": ("nike",)}, False),
        ({"categories": ("games", "cards")}, True), ({"categories": ("cards",)}, False), ({"review": "waiting"}, False),
        ({"review": "sent_back", "reviewed_at": timezone.now()}, False), ({"revoked_at": timezone.now()}, False),
        ({"holder": "two"}, False), ({"holder_kind": "supplier"}, False),
    ]  # fmt: skip
    columns = ("review", "reviewed_at", "revoked_at", "holder_kind", "holder")
    for held, counts in cases:
        row = {name: held[name] for name in held if name in columns}
        rest: dict[str, Any] = {name: value for name, value in held.items() if name not in row}
        wanted = terms(**rest)
        License.objects.filter(pk=paper.pk).update(**row | {
            "kind": wanted.kind, "brands": list(wanted.brands), "categories": list(wanted.categories),
            "valid_from": wanted.valid_from, "valid_until": wanted.valid_until,
        })  # fmt: skip
        Reseller.objects.filter(pk=shop.pk).update(revision=Reseller.objects.get(pk=shop.pk).revision + 1)
        assert bool(sold(shop)) is counts, held
        pays: Callable[[], object] = lambda: open_payment(shop, order)  # noqa: E731
        if counts:
            pays()
        else:
            with pytest.raises(SellerUnlicensed):
                pays()
        License.objects.filter(pk=paper.pk).update(
            review="confirmed", reviewed_at=None, revoked_at=None, holder="one", holder_kind="seller"
        )


def test_from_the_day_on_nobody_orders_or_pays_what_the_shop_lacks_a_paper_for(
    shop: Reseller, variant: Variant
) -> None:
    paper = license_add(seller="one", terms=terms(ends=0), actor=LI)
    licenses_watch()
    drain()
    placed, before = place(shop, variant), key_now(shop)
    shift(paper, 1)  # midnight, and no worker has woken up yet
    with pytest.raises(SkuUnknown):
        place(shop, variant)
    with pytest.raises(SellerUnlicensed):
        open_payment(shop, placed)
    assert not Payment.objects.exists()
    assert (sold(shop), shelf_now(shop)[0].key == before) == ([], False)
    assert licenses_watch() == 1
    assert Alert.objects.get(closed_at=None).kind == "paper.expired"
    renewal = confirm(hand_in(paper, number="S-2", begins=1, ends=300))
    assert (sold(shop), Alert.objects.filter(closed_at=None).count()) == ([], 0)
    shift(renewal, 1)
    assert len(sold(shop)) == 1
    assert open_payment(shop, placed).status == "pending"


def test_each_owner_is_warned_30_7_and_1_days_before_the_end_and_papers_that_wait_warn_nobody(shop: Reseller) -> None:
    paper, waits = license_add(seller="one", terms=terms(ends=31), actor=LI), hand_in(number="S-2", ends=5)
    told = Alert.objects.filter(closed_at=None)
    seen = []
    for days in (0, 1, 23, 6):
        shift(paper, days)
        assert licenses_watch() == 1
        seen.append([(alert.kind, alert.data["shop"], alert.subject.rpartition("#")[2]) for alert in told.all()])
    assert seen == [[]] + [[("paper.expiring", "one", days)] for days in ("30", "7", "1")]
    waits.refresh_from_db()
    assert waits.watched_on is None


def test_a_brand_that_its_owner_allows_is_no_imitation_and_is_looked_at_again_when_that_ends(
    shop: Reseller, variant: Variant
) -> None:
    requirements_set(category="games", kinds=[], actor=LI, of=SELLER)
    named(shop, variant, "Stearn 月卡")
    assert sold(shop) == []
    paper = confirm(hand_in())
    drain()
    assert sold(shop) == [f"{variant.product.name} Stearn 月卡"]
    assert Case.objects.get().state == "withdrawn"
    named(shop, variant, "Stearn 季卡")
    assert len(sold(shop)) == 1
    licenses_watch()
    shift(paper, 101)
    licenses_watch()
    drain()
    assert sold(shop) == []
    assert Case.objects.get(state="open").kind == "rescreened"
    # It is one brand's paper: another's name stays an imitation, and what sounds like the brand is none.
    paper = confirm(hand_in(number="S-2", ends=9))
    named(shop, variant, "Netf1ix 月卡")
    assert sold(shop) == []
    assert (is_named("爱奇意", {"爱奇艺"}), is_named("腾迅", {"爱奇艺"}), is_named("steam", {"Steam"})) == (1, 0, 1)
    named(shop, variant, "月卡")
    # A supplier's counts for what it calls the goods, and one that names no brand for nothing.
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    SupplierOffer.objects.filter(supplier__code="first").update(listed_name="Stearn 充值")
    offer = SupplierOffer.objects.get(supplier__code="first")
    for brands, is_authorized in (((), False), (("nike",), False), (("steam",), True)):
        license_add(supplier="first", terms=terms(brands=brands), actor=LI)
        facts = OFFERS.facts(offer.pk)
        assert facts is not None
        assert ("Steam" in facts.licensed) is is_authorized


def test_goods_come_back_when_somebody_who_has_had_the_brands_paper_for_long_begins_to_offer_them(
    shop: Reseller, variant: Variant
) -> None:
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    product = Product.objects.get(pk=variant.product_id)
    offer = SupplierOffer.objects.get(supplier__code="first")
    SupplierOffer.objects.filter(pk=offer.pk).update(is_active=False)
    license_add(supplier="first", terms=terms(), actor=LI)
    drain()
    Product.objects.filter(pk=product.pk).update(name="Stearn 月卡")
    assert product_screen(product.pk) == "flagged"

    def stands() -> str:
        drain()
        return Product.objects.get(pk=product.pk).standing

    offer.is_active = False
    offer_save(offer=offer)
    assert stands() == "flagged"
    offer.is_active = True
    offer_save(offer=offer)
    assert stands() == "clear"
    # And when a supplier is asked again.
    supplier_pause(supplier_id=offer.supplier_id)
    assert product_screen(product.pk, is_edit=False) == "flagged"
    supplier_resume(supplier_id=offer.supplier_id)
    assert stands() == "clear"


@pytest.mark.parametrize("holder", [{"supplier": "first"}, {"seller": "house"}], ids=["supplier", "platform"])
def test_the_platforms_own_goods_are_called_by_a_brand_that_it_or_whoever_it_buys_of_may_use(
    shop: Reseller, variant: Variant, holder: dict[str, str]
) -> None:
    Reseller.objects.filter(pk=shop.pk).update(slug="house", is_house=True)
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    product = Product.objects.get(pk=variant.product_id)
    license_add(supplier="somebody-else", terms=terms(number="S-0"), actor=LI)

    def stands(name: str) -> str:
        Product.objects.filter(pk=product.pk).update(name=name)
        return product_screen(product.pk)

    def seen() -> str:
        drain()
        return Product.objects.get(pk=product.pk).standing

    assert stands("Stearn 月卡") == "flagged"
    paper = license_add(**holder, terms=terms(), actor=LI)
    assert seen() == "clear"
    assert stands("Stearn 季卡") == "clear"
    # One brand's paper, and no other's.
    assert stands("Netf1ix 季卡") == "flagged"
    assert stands("Stearn 季卡") == "clear"
    license_revoke(license_id=paper.pk, actor=LI)
    assert seen() == "flagged"
    assert Case.objects.get(state="open").kind == "rescreened"


def test_a_paper_is_in_one_hand_and_a_decision_can_be_taken_back_for_ten_minutes(
    shop: Reseller, variant: Variant
) -> None:
    former = confirm(hand_in())
    renewal = hand_in(former=former, number="S-2", ends=9)
    first, second = renewal, hand_in(number="S-3")
    assert (paper_claim_next(actor=LI), paper_claim_next(actor=WANG)) == (first, second)
    assert paper_claim_next(actor="staff:zhao") is None
    scan_open(scan_id=first.scans.get().pk, actor=WANG)
    for decide in (
        lambda: paper_confirm(license_id=first.pk, actor=WANG),
        lambda: paper_send_back(license_id=first.pk, actor=WANG, reasons=["K-01"]),
        lambda: paper_claim(license_id=first.pk, actor=WANG),
    ):
        with pytest.raises(PaperClaimed):
            decide()
    # Passed over, it goes back; and a claim ends by itself.
    assert paper_claim_next(actor=LI, after=first.pk) is None
    assert paper_claim_next(actor=WANG, after=second.pk) == first
    License.objects.filter(pk=first.pk).update(claimed_until=timezone.now())
    paper_claim(license_id=first.pk, actor=LI)
    paper_release(license_id=first.pk, actor=WANG)
    assert License.objects.get(pk=first.pk).in_hand_of == LI
    confirm(first)
    assert paper_undoable(LI) == first
    assert (paper_undoable(WANG), state(former)) == (None, "replaced")
    with pytest.raises(UndoTooLate):
        paper_undo(license_id=first.pk, actor=WANG)
    assert paper_undo(license_id=first.pk, actor=LI).in_hand_of == LI
    assert (state(first), state(former)) == ("waiting", "valid")
    assert sold(shop) == [f"{variant.product.name} {variant.name}"]
    said = AuditEntry.objects.get(action="license.undone")
    assert (said.actor, said.data["was"]) == (LI, "confirmed")
    with pytest.raises(PaperDecided):
        paper_undo(license_id=first.pk, actor=LI)
    # Without what it renewed, the shop has nothing to sell by once the decision is taken back.
    license_revoke(license_id=former.pk, actor=LI)
    confirm(first)
    assert len(sold(shop)) == 1
    paper_undo(license_id=first.pk, actor=LI)
    assert sold(shop) == []
    paper_send_back(license_id=first.pk, actor=LI, reasons=["K-01"])
    License.objects.filter(pk=first.pk).update(reviewed_at=timezone.now() - timedelta(minutes=10, seconds=1))
    with pytest.raises(UndoTooLate):
        paper_undo(license_id=first.pk, actor=LI)
    assert (state(first), paper_undoable(LI)) == ("sent_back", None)
    # Handed in anew, what was sent back is nothing that could wait again.
    License.objects.filter(pk=first.pk).update(reviewed_at=timezone.now())
    hand_in(former=License.objects.get(pk=first.pk), number="S-4")
    with pytest.raises(PaperDecided):
        paper_undo(license_id=first.pk, actor=LI)


def state(paper: License) -> str:
    return license_state(License.objects.get(pk=paper.pk))
