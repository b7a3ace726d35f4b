"""What both admins are made of: icons that exist, nobody else's servers, words in either language."""

import re
from pathlib import Path

import pytest
import unfold
from django.conf import settings
from django.db import connection

from kameng.admin.sites import StaffSite, operations_site, shop_site
from resellers.models import Reseller
from resellers.services import shop_look_save
from tests import remembered
from tests.staff import addresses, operator, owner_of

ROOT = Path(settings.BASE_DIR)
ICONS = frozenset((ROOT / "static/fonts/staff-icons.txt").read_text().split())
#: Where templates write ligatures of the icon font, and what stands between those.
DRAWN = re.compile(r"material-symbols-outlined[^>]*>([^<]*)<")
DECIDED = re.compile(r"{[{%].*?[%}]}")
FRAME = ("/manage/", "/manage/orders/order/", "/manage/goods/", "/manage/look/", "/manage/listings/pricerule/add/")


def test_the_theme_writes_no_file_names_into_fields() -> None:
    theirs = (Path(unfold.__file__).parent / "static/unfold/js/app.js").read_text()
    assert "\nfunction fileInputUpdatePath()" in theirs
    assert 'addEventListener("load"' in theirs
    assert "window.fileInputUpdatePath = () => {};" in (ROOT / "static/js/staff.js").read_text()


@pytest.mark.parametrize("site", [shop_site, operations_site], ids=lambda site: site.name)
def test_every_icon_of_the_menu_is_in_the_font(site: StaffSite) -> None:
    menu = [page.nav for page in site.pages if page.nav] + [page.nav for page in site._registry.values() if page.nav]
    assert menu
    assert {nav.icon for nav in menu} | {site.symbol} <= ICONS


def test_every_icon_of_the_templates_is_in_the_font() -> None:
    ours, theirs = ROOT / "templates/unfold", Path(unfold.__file__).parent / "templates/unfold"
    paths = [*(ROOT / "templates/staff").rglob("*.html"), *ours.rglob("*.html")]
    paths += [path for path in theirs.rglob("*.html") if not (ours / path.relative_to(theirs)).exists()]
    drawn = [found for path in paths for found in DRAWN.findall(path.read_text())]
    used = {icon for found in drawn for icon in DECIDED.sub(" ", found).split()}
    assert "menu" in used
    # The theme draws this one only where a field is marked as somebody's favorite, which none is.
    assert used - {"favorite"} <= ICONS


@pytest.mark.parametrize("address", FRAME)
def test_a_page_asks_no_other_host_and_says_so(shop: Reseller, address: str) -> None:
    answer = owner_of(shop).get(address)
    page = answer.content.decode()
    assert re.findall(r"""(?:src|href|action)=["'](?:https?:)?//[^"']+""", page) == []
    policy = answer["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert answer["X-Frame-Options"] == "DENY"
    assert "no-store" in answer["Cache-Control"]
    for left_out in ("unfold/fonts", "chart.js", "alpine.sort"):
        assert left_out not in page


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_every_page_speaks_either_language(shop: Reseller, language: str) -> None:
    shops, operators = owner_of(shop), operator()
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    for client, site in ((shops, shop_site), (operators, operations_site)):
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
        for address in addresses(site):
            if "/1/" in address or "QRS" in address or address.endswith("/add/"):
                continue
            page = client.get(address)
            assert page.status_code == 200, address
            if page["Content-Type"].startswith(("text/csv", "application/x-ndjson")):
                assert "attachment" in page["Content-Disposition"], address
                continue
            if page["Content-Type"] == "image/png":
                continue
            assert f'lang="{language}"' in page.content.decode() or "swatches" in address


def test_the_theme_speaks_chinese_where_the_reader_does(shop: Reseller) -> None:
    page = owner_of(shop).get("/manage/orders/order/").content.decode()
    for text in ("还没有记录", "筛选", "修改密码"):
        assert text in page
    for text in ("No results found", "Type to search", "Filters", "View site"):
        assert text not in page


def test_a_shop_that_takes_no_orders_says_so_before_anybody_fills_a_form(shop: Reseller) -> None:
    closed = "本店暂停营业：看得到商品"
    client = owner_of(shop)
    assert closed not in client.get("/").content.decode()
    shop_look_save(shop_id=shop.pk, is_open=False)
    remembered.forget()
    assert closed in client.get("/").content.decode()
