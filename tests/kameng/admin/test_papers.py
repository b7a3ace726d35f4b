"""An owner hands in a paper on a phone, an operator holds it against its scan, and both read how it stands in words."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django_tenants.utils import tenant_context

from catalog.listings.shelf import shelf_now
from catalog.models import Brand, Variant
from compliance.gate.models import Case
from compliance.models import License, Requirement
from compliance.scans.models import Scan
from compliance.services import license_add
from compliance.trail.models import AuditEntry
from resellers.models import Reseller
from tests.compliance.gate import named
from tests.compliance.test_papers import terms
from tests.compliance.test_scans import png
from tests.factories import on_sale
from tests.staff import operator, owner_of

pytestmark = pytest.mark.usefixtures("supplier_double")

OWN, PAPERS, REQUIREMENTS = "/manage/papers/", "/admin/papers/", "/admin/license-requirements/"


@pytest.fixture
def variant(shop: Reseller) -> Variant:
    """Of the brand steam in the category games."""
    brand = Brand.objects.create(slug="steam", name="Steam")
    return on_sale(product__category__slug="games", product__category__name="手游", product__brand=brand)


def read(client: Any, path: str, **query: object) -> str:
    return str(client.get(path, query).content.decode())


def on_shelf(shop: Reseller) -> int:
    with tenant_context(shop):
        return len(shelf_now(shop)[0].products)


def test_from_the_owners_phone_to_the_shelf_and_back(shop: Reseller, other_shop: Reseller, variant: Variant) -> None:
    owner, desk = owner_of(shop), operator()
    form: dict[str, Any] = {"category": "games", "of": "seller", "kinds": ["brand"]}
    asked = desk.post(REQUIREMENTS, form).content.decode()
    assert "3 家店要停售" in asked
    assert shop.name in asked
    assert desk.post(REQUIREMENTS, {**form, "act": "confirm"}).status_code == 302
    assert Requirement.objects.get().holder_kind == "seller"
    assert "缺品牌授权" in read(owner, "/manage/goods/", state="lacking")
    assert "手游缺品牌授权，1 个面额停售" in read(owner, "/manage/")
    today = timezone.localdate()
    typed = {
        "kind": "brand", "number": "S-1", "issuer": "Valve", "brands": ["steam"], "valid_from": str(today),
        "valid_until": str(today + timedelta(days=12)),
    }  # fmt: skip
    refused = owner.post(OWN, typed)
    assert (refused.status_code, "请附上证照的照片" in refused.content.decode()) == (422, True)
    assert 'value="S-1"' in refused.content.decode()
    with_scan = lambda: {**typed, "file": SimpleUploadedFile("a.png", png())}  # noqa: E731
    assert owner.post(OWN, with_scan()).status_code == 302
    paper = License.objects.get()
    assert (paper.review, paper.created_by) == ("waiting", "staff:one/owner")
    shown = read(owner, OWN)
    assert "等待核对" in shown
    scan = Scan.objects.get()
    assert owner.get(f"{OWN}scans/{scan.pk}/")["Content-Type"] == "image/jpeg"
    assert owner_of(other_shop).get(f"{OWN}scans/{scan.pk}/").status_code == 404
    # In the one queue; confirmed only by who has looked.
    page = f"{PAPERS}{paper.pk}/"
    assert f'href="{page}"' in read(desk, "/admin/review/", kind="paper")
    assert "你还没看" in read(desk, page)
    assert "请先打开扫描件" in desk.post(page, {"act": "confirm"}, follow=True).content.decode()
    assert desk.post(page, {"act": "send_back"}).status_code == 422
    assert desk.post(page, {"act": "send_back", "reasons": ["K-02"]})["Location"] == "/admin/review/"
    told = read(owner, OWN)
    assert "退回" in told
    assert "K-02 填写和扫描件不一致" in told
    assert "去改" in read(owner, "/manage/")
    assert 'value="S-1"' in read(owner, OWN, again=paper.pk)
    assert owner.post(OWN, {**with_scan(), "former": paper.pk}).status_code == 302
    again = License.objects.get(review="waiting")
    page = f"{PAPERS}{again.pk}/"
    desk.get(f"/admin/license-scans/{again.scans.get().pk}/")
    assert on_shelf(shop) == 0
    assert desk.post(page, {"act": "claim"}).status_code == 302
    other = operator(username="second")
    assert "正在处理，暂时不能决定" in read(other, page)
    assert "另一位同事正在核对" in other.post(page, {"act": "confirm"}, follow=True).content.decode()
    assert desk.post(page, {"act": "confirm"}).status_code == 302
    assert on_shelf(shop) == 1
    assert f'action="{page}"' in read(desk, "/admin/review/")
    assert f'action="{page}"' not in read(other, "/admin/review/")
    assert "已撤回" in desk.post(page, {"act": "undo"}, follow=True).content.decode()
    assert on_shelf(shop) == 0
    assert desk.post(page, {"act": "confirm"}).status_code == 302
    assert on_shelf(shop) == 1
    assert "有效，12 天后到期" in read(owner, OWN)
    home = read(owner, "/manage/")
    assert "有效，12 天后到期" in home
    assert "停售" not in home
    # Beside a case of that shop, and gone from sale when it is revoked.
    with tenant_context(shop):
        named(shop, variant, "Netf1ix 月卡")
    case = Case.objects.get(state="open")
    assert f'href="{page}"' in read(desk, f"/admin/review/{case.pk}/")
    assert desk.post(page, {"act": "revoke"}).status_code == 422
    assert desk.post(page, {"act": "revoke", "reasons": ["K-06"]}).status_code == 302
    told = read(owner, OWN)
    assert "已作废" in told
    assert "K-06" in told
    assert AuditEntry.objects.filter(action="license.revoked", data__reasons=["K-06"]).exists()


def test_operators_record_and_renew_papers_of_shops_and_owners_take_back_only_their_own(
    shop: Reseller, other_shop: Reseller
) -> None:
    owner, desk, today = owner_of(shop), operator(), timezone.localdate()
    typed = {"kind": "telecom", "number": "B2-1", "issuer": "通信管理局", "valid_from": str(today)}
    assert desk.post(PAPERS, {**typed, "shop": "nobody"}).status_code == 422
    recorded = desk.post(PAPERS, {**typed, "shop": "one"})
    desk.get(recorded["Location"])
    paper = License.objects.get()
    page = f"{PAPERS}{paper.pk}/"
    assert (recorded["Location"], paper.holder_kind, paper.review) == (page, "seller", "confirmed")
    assert desk.post(f"/admin/licenses/{paper.pk}/scans/", {"file": SimpleUploadedFile("a.png", png())})[
        "Location"
    ] == page  # fmt: skip
    desk.get(page)  # what was said is said once
    assert "B2-1" not in read(desk, "/admin/licenses/")
    assert "长期有效" in read(owner, OWN)
    assert owner.post(OWN, {"act": "take_back", "paper": paper.pk}).status_code == 302
    assert "B2-1" in read(desk, PAPERS)
    assert desk.post(page, {**typed, "act": "replace", "number": "B2-2"}).status_code == 302
    paper.refresh_from_db()
    assert (paper.replaced_by and paper.replaced_by.number) == "B2-2"
    theirs = license_add(seller="two", terms=terms(), actor="staff:li")
    assert owner.post(OWN, {"act": "take_back", "paper": theirs.pk}).status_code == 404
    assert owner.post(OWN, {**typed, "former": theirs.pk}).status_code == 404
    assert "S-1" not in read(owner, OWN)
    Reseller.objects.filter(pk=shop.pk).update(is_house=True)
    assert owner_of(shop).post(OWN, typed).status_code in (404, 422)
