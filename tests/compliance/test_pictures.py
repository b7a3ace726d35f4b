"""Pictures that look like the logo of a protected brand: found whatever was done to them, held back, and decided."""

import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from catalog.models import Brand
from compliance.desk.services import appeal_decide, appeal_make, case_rule, case_undo
from compliance.gate.models import Case
from compliance.gate.pictures import PICTURES, picture_subject, shop_picture_remove, shop_picture_save
from compliance.gate.rescreening import rescreen_all
from compliance.gate.selectors import standing_words
from compliance.gate.services import Gated, subject_restore, subject_take_down
from compliance.gate.subjects import entered
from compliance.marks import mark_add, mark_retire
from compliance.models import Kind, Mark
from compliance.screening import pictures
from compliance.screening.drawn_logos import letter, logo, variants
from compliance.services import Terms, license_add, license_revoke
from kameng.core.problems import Invalid
from resellers import hosts
from resellers.brand.models import BrandPicture
from resellers.models import Reseller
from tests.flows import drain
from tests.kameng.admin.test_shop_goods import LOOK as TYPED
from tests.staff import operator, owner_of

OWNER, LI, WANG = "staff:one/owner", "staff:li", "staff:wang"
#: Square ones: favicons, too.
PROTECTED, OTHER, THIRD = logo(107), logo(109), logo(112)


def saved(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def imitated() -> bytes:
    return saved(variants(PROTECTED)["recolored"])


def upload(shop: Reseller, data: bytes, use: str = "logo") -> Gated:
    return shop_picture_save(shop_id=shop.pk, use=use, upload=data, actor=OWNER)


def shown(shop: Reseller, use: str = "logo") -> str:
    """The picture that pages name; nobody can get any other one."""
    name: str = Reseller.objects.values_list(f"{use}_picture", flat=True).get(pk=shop.pk)
    hosts.forget()
    visitor = Client(headers={"host": "one.test"})
    for row in BrandPicture.objects.filter(shop=shop, use=use):
        assert (visitor.get(f"/brand/{row.name}").status_code == 200) == (row.name == name)
    return name


def mark(image: Image.Image = PROTECTED, brand: str = "starlight") -> Mark:
    return mark_add(brand=brand, name="星光", upload=saved(image), actor=LI)


def open_case() -> Case:
    return Case.objects.get(state="open")


def decide(case: Case, to: str, actor: str = LI) -> Case:
    reasons = ["R03"] if to != "approved" else []
    return case_rule(case_id=case.pk, digest=case.digest, to=to, actor=actor, reasons=reasons)


def paper(shop: Reseller) -> Any:
    today = timezone.localdate()
    terms = Terms(Kind.BRAND, "B-1", "星光", today, None, brands=("starlight",))
    return license_add(seller=shop.slug, terms=terms, actor=LI)


def test_pictures_that_say_too_little_are_never_alike() -> None:
    plain = [letter(text, ground, "white") for text, ground in (("A", "navy"), ("A", "#104090"), ("E", "red"))]
    plain += [Image.new("RGB", (96, 96), color) for color in ("white", "teal")]
    for image in plain:
        taken = pictures.taken(image)
        assert taken.is_plain
        reference = pictures.Reference("x", "x", 1, taken)
        assert [pictures.alike(pictures.taken(other), [reference]) for other in plain] == [[]] * len(plain)


@pytest.mark.parametrize("image", [letter("A", "navy", "white"), Image.new("RGB", (96, 96), "teal")])
def test_a_picture_that_says_too_little_is_no_reference(db: None, image: Image.Image) -> None:
    with pytest.raises(Invalid):
        mark(image)
    assert not Mark.objects.exists()


def test_a_fingerprint_is_kept_as_a_line_and_read_again_by_the_same_way_of_looking_alone() -> None:
    taken = pictures.taken(PROTECTED)
    assert pictures.read(taken.written()) == taken
    assert pictures.read(taken.written().replace("[1,", "[0,", 1)) is None
    assert pictures.read("") is None


def test_an_imitated_logo_waits_and_the_one_before_stays(shop: Reseller) -> None:
    mark()
    assert upload(shop, saved(OTHER)).is_clear
    before = shown(shop)
    gated = upload(shop, imitated())
    assert not gated.is_clear
    assert shown(shop) == before != ""
    case = open_case()
    assert case.screening is not None
    (finding,) = case.screening.findings
    assert (finding["category"], finding["rule"], finding["field"]) == ("infringement", "logo-alike:starlight", "logo")
    assert finding["alike"]["shape"] >= pictures.ALIKE
    words = " ".join(standing_words(picture_subject(shop, "logo")))
    assert "星光" in words
    assert "品牌授权" in words
    # The next one is clear: it is shown at once, and nothing is left to decide.
    assert upload(shop, saved(THIRD)).is_clear
    assert shown(shop) not in ("", before)
    assert Case.objects.get().state == "withdrawn"
    assert standing_words(picture_subject(shop, "logo")) == []


def test_approving_shows_it_and_taking_that_back_shows_the_one_before(shop: Reseller) -> None:
    mark()
    upload(shop, saved(OTHER))
    before = shown(shop)
    upload(shop, imitated())
    decide(open_case(), "approved")
    assert shown(shop) not in ("", before)
    approved = shown(shop)
    case_undo(case_id=Case.objects.get().pk, actor=LI)
    assert shown(shop) == before
    decide(open_case(), "approved")
    assert shown(shop) == approved
    # What a person approved stays, whatever is looked at again, and is clear when it is taken again.
    rescreen_all()
    assert shown(shop) == approved
    assert upload(shop, imitated()).is_clear
    assert not Case.objects.filter(state="open").exists()


def test_a_first_logo_that_was_approved_waits_again_when_that_is_taken_back(shop: Reseller) -> None:
    mark()
    upload(shop, imitated())
    assert shown(shop) == ""
    decide(open_case(), "approved")
    assert shown(shop) != ""
    case_undo(case_id=Case.objects.get().pk, actor=LI)
    assert shown(shop) == ""


def test_what_was_sent_back_is_not_asked_again_and_comes_back_with_the_paper_or_an_appeal(shop: Reseller) -> None:
    mark()
    upload(shop, imitated())
    case = decide(open_case(), "sent_back")
    assert not upload(shop, imitated()).is_clear
    assert not Case.objects.filter(state="open").exists()
    assert shown(shop) == ""
    appeal = appeal_make(case_id=case.pk, schema_name=shop.schema_name, text="这是我们自己的标志，有注册证。", by=OWNER)
    appeal_decide(appeal_id=appeal.pk, outcome="reversed", actor=WANG, statement="看过注册证")
    assert shown(shop) != ""
    shop_picture_remove(shop_id=shop.pk, use="logo")
    assert shown(shop) == ""


def test_a_confirmed_paper_of_the_brand_lets_it_through_and_its_end_takes_it_away(shop: Reseller) -> None:
    mark()
    upload(shop, imitated())
    decide(open_case(), "sent_back")
    held = paper(shop)
    drain()
    assert shown(shop) != ""
    license_revoke(license_id=held.pk, actor=LI)
    drain()
    assert shown(shop) == ""


def test_a_reference_added_later_is_held_against_what_is_shown_and_retiring_it_brings_that_back(shop: Reseller) -> None:
    upload(shop, imitated(), "favicon")
    name = shown(shop, "favicon")
    assert name
    added = mark()
    drain()
    assert shown(shop, "favicon") == ""
    assert open_case().kind == "rescreened"
    mark_retire(mark_id=added.pk, actor=LI)
    drain()
    assert shown(shop, "favicon") == name
    assert not Case.objects.filter(state="open").exists()


def test_what_is_shown_beside_one_that_waits_is_looked_at_too(shop: Reseller) -> None:
    mark(OTHER, "moonlight")
    upload(shop, imitated())
    assert shown(shop) != ""
    assert not upload(shop, saved(OTHER)).is_clear
    mark()
    drain()
    assert shown(shop) == ""
    decide(open_case(), "approved")
    assert shown(shop) != ""


def test_a_picture_is_taken_down_and_restored(shop: Reseller) -> None:
    upload(shop, saved(OTHER))
    name = shown(shop)
    subject = picture_subject(shop, "logo")
    subject_take_down(subject=subject, actor=LI, reasons=["R03"])
    assert shown(shop) == ""
    rescreen_all()
    assert not upload(shop, saved(OTHER)).is_clear
    assert shown(shop) == ""
    assert upload(shop, saved(THIRD)).is_clear
    subject_take_down(subject=subject, actor=LI, reasons=["R03"])
    subject_restore(subject=subject, actor=LI)
    assert shown(shop) not in ("", name)


def test_an_old_row_without_a_fingerprint_is_looked_at_all_the_same(shop: Reseller) -> None:
    upload(shop, imitated())
    BrandPicture.objects.update(fingerprint="")
    mark()
    drain()
    assert shown(shop) == ""


def test_owners_read_why_and_operators_see_both_pictures(shop: Reseller) -> None:
    desk = operator()
    Brand.objects.create(slug="starlight", name="星光")
    sent = {"act": "add", "brand": "starlight", "file": SimpleUploadedFile("a.png", saved(PROTECTED))}
    assert desk.post("/admin/marks/", sent).status_code == 302
    assert "data:image/png;base64," in desk.get("/admin/marks/").content.decode()
    too_plain = {**sent, "file": SimpleUploadedFile("a.png", saved(letter("A", "navy", "white")))}
    refused = desk.post("/admin/marks/", too_plain)
    assert refused.status_code == 422
    assert "太简单" in refused.content.decode()
    owner = owner_of(shop)
    sent = {**TYPED, "logo": SimpleUploadedFile("a.png", imitated())}
    assert owner.post("/manage/look/", sent).status_code == 302
    told = owner.get("/manage/look/").content.decode()
    assert "很像“星光”的标志" in told
    assert "去修改" in owner.get("/manage/cases/").content.decode()
    case = open_case()
    page = desk.get(f"/admin/review/{case.pk}/").content.decode()
    assert page.count("data:image/png;base64,") == 2
    assert "颜色换过" in page
    assert "像“星光”的标志" in desk.get("/admin/review/?kind=picture").content.decode()
    assert desk.get(f"/admin/review/picture/{shop.schema_name}/1/").content.decode().count("data:image/png") == 1
    retired = desk.post("/admin/marks/", {"act": "retire", "mark": Mark.objects.get().pk})
    assert retired.status_code == 302
    assert desk.post("/admin/marks/", {"act": "retire", "mark": "x"}).status_code == 404
    # The case about it shows it still.
    assert desk.get(f"/admin/review/{case.pk}/").content.decode().count("data:image/png;base64,") == 2


def test_both_places_are_gone_through(shop: Reseller) -> None:
    upload(shop, saved(OTHER))
    upload(shop, saved(THIRD), "favicon")
    with entered(shop.schema_name):
        assert list(PICTURES.ids()) == [number for number, _facts in PICTURES.batch(0, 10)] == [1, 2]
        assert [number for number, _facts in PICTURES.batch(1, 10)] == [2]
