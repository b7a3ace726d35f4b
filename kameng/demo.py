"""The demo: three shops, a full catalogue, three gateways and suppliers, all of whose other side is the sandbox. The
owner of one sub-site collects for themselves, out of a deposit.

Running it again changes nothing that is right already, so `up` may do so at each start.
"""

import hashlib
import json
import logging
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Model
from django.utils import timezone
from django_tenants.utils import get_public_schema_name, schema_context

from catalog import demo as catalogue_data
from catalog.listings.models import PriceRule
from catalog.models import Brand, Category, Product, Revision, Variant
from catalog.search import search_text
from compliance.gate.rescreening import rescreen_all
from compliance.gate.shops import shop_open
from compliance.models import Kind, License, Requirement
from compliance.services import Terms, license_add, requirements_set
from fulfillment.suppliers.models import StockCode, Supplier, SupplierOffer
from fulfillment.suppliers.services import availability_refresh, supplier_save
from fulfillment.suppliers.stock_room import stock_load
from kameng.core.http import HttpClient, HttpFailure
from kameng.demo_coupons import coupons_seed
from kameng.demo_gateways import OWNS_A_TILL, gateways_seed, own_till_seed
from kameng.demo_own_goods import own_goods_seed
from kameng.demo_papers import papers_seed
from kameng.demo_pictures import pictures_seed
from kameng.opening.goods import plans_sell
from kameng.sandbox import keys
from resellers import demo as shop_data
from resellers.models import Reseller
from resellers.plans.seeds import plans_seed
from resellers.services import domain_add, operations_open, shop_touch, staff_set

logger = logging.getLogger(__name__)

_JSON = {"Content-Type": "application/json"}
_Row = TypeVar("_Row", bound=Model)

OWN_STOCK = "own"
#: Who offers what, best first: supplier and its cost as a share of our supply price.
DIRECT = (("xinghe", Decimal("0.970")), ("lantian", Decimal("0.982")))
CODES = (("yunka", Decimal("0.968")), ("baihe", Decimal("0.980")))
#: Asked for phone credit after the others.
PHONE_CREDIT = (("tongxin", Decimal("0.985")),)
#: People, for what nobody else can deliver; their offers wait until an operator switches them on.
MANUAL = "manual"
MANUAL_PRODUCTS = 2
OWN_SHARE = Decimal("0.960")
#: Who offers only some products, and is asked last: the share again.
ASKED_LAST = {
    "huayu": (Decimal("0.990"), ("kaspersky", "parallels", "xmind")),
    "shanhe": (Decimal("0.988"), ("fantasy-westward-journey", "jx3")),
}
#: What categories require, and the one license that ends soon, so that an operator sees a warning.
LICENSES_REQUIRED = {
    "phone-credit": [Kind.OPERATOR_AGENCY],
    "mobile-data": [Kind.OPERATOR_AGENCY],
    "mobile-games": [Kind.BRAND],
    "pc-games": [Kind.BRAND],
    "software": [Kind.SOFTWARE_COPYRIGHT],
}
#: Where minors have their limits.
GAMES = frozenset({"mobile-games", "pc-games", "global-games", "game-cards"})
LICENSE_ENDS_SOON, LICENSE_ENDS_DAYS = ("lantian", Kind.OPERATOR_AGENCY), 21
#: Code products whose first variant also lies on our own shelf, before any supplier.
STOCKED_PRODUCTS = 6
STOCKED_CODES = 50
BENCH_CODES = 20_000
_LOOK = (
    "name_en", "tagline", "tagline_en", "brand_color", "radius", "logo", "announcement", "announcement_en", "support",
    "is_house", "company", "credit_code", "telecom_license", "icp", "license_url",
)  # fmt: skip


@dataclass(frozen=True)
class LogIn:
    """Somebody who can sign in to the demo."""

    where: str
    url: str
    user: str
    password: str


def seed(*, bench: bool) -> list[LogIn]:
    """Make the demo, or bring it up to date. The log-ins are also written to `var/demo.json`."""
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    sandbox = settings.VAR_DIR / "sandbox"
    keys.ensure(sandbox)
    operations_open(host=settings.OPERATIONS_HOST)
    _catalogue()
    _suppliers(sandbox / "suppliers")
    _offers()
    _licenses()
    _tell_sandbox()
    _stock(bench=bench)
    availability_refresh()
    gateways_seed(sandbox / "gateways")
    shops = [_shop(wanted) for wanted in shop_data.SHOPS]
    owned = next(shop for shop in shops if shop.slug == OWNS_A_TILL)
    own_till_seed(sandbox / "gateways", owned)
    papers_seed(owned)
    own_goods_seed(owned, code=_demo_code)
    for shop in shops:
        coupons_seed(shop)
    pictures_seed(owned)
    plans_seed()
    plans_sell()
    rescreen_all()
    Revision.bump()
    return _log_ins(shops)


@transaction.atomic
def _catalogue() -> None:
    data = catalogue_data.load()
    categories = _upsert(
        Category,
        "slug",
        (
            Category(
                slug=row.slug,
                name=row.name,
                name_en=row.name_en,
                icon=row.icon,
                position=place,
                limits_minors=row.slug in GAMES,
            )
            for place, row in enumerate(data.categories)
        ),
        keep=("supply_markup", "limits_minors"),
    )
    brands = _upsert(Brand, "slug", (Brand(slug=row.slug, name=row.name, name_en=row.name_en) for row in data.brands))
    category_names = {row.slug: row.name for row in data.categories}
    brand_names = {row.slug: row.name for row in data.brands}
    products = _upsert(
        Product,
        "slug",
        (
            Product(
                slug=row.slug,
                category_id=categories[row.category],
                brand_id=brands[row.brand],
                kind=row.kind,
                name=row.name,
                name_en=row.name_en,
                icon=row.icon,
                summary=row.summary,
                summary_en=row.summary_en,
                notes=row.notes,
                notes_en=row.notes_en,
                account_fields=[field.as_json() for field in row.account_fields],
                aliases=list(row.aliases),
                search_text=search_text(
                    name=row.name,
                    name_en=row.name_en,
                    aliases=row.aliases,
                    context=[category_names[row.category], brand_names[row.brand], *(one.name for one in row.variants)],
                ),
                position=row.position,
            )
            for row in data.products
        ),
        keep=("standing",),
    )
    _upsert(
        Variant,
        "sku",
        (
            Variant(
                product_id=products[product.slug],
                sku=row.sku,
                name=row.name,
                name_en=row.name_en,
                note=row.note,
                note_en=row.note_en,
                official_price=row.official_price,
                supply_price=row.supply_price,
                max_quantity=row.max_quantity,
                position=place,
            )
            for product in data.products
            for place, row in enumerate(product.variants)
        ),
        keep=("cost", "is_available", "is_active", "supply_raised_at"),
    )


def _upsert(model: type[_Row], key: str, rows: Iterable[_Row], *, keep: Collection[str] = ()) -> dict[str, int]:
    """Write rows by their natural key; what an operator may have changed meanwhile (`keep`) stays. Ids by key."""
    fields = [field.name for field in model._meta.fields if not field.primary_key and field.name not in {key, *keep}]
    manager: Any = model._default_manager
    manager.bulk_create(rows, update_conflicts=True, unique_fields=[key], update_fields=fields)
    return dict(manager.values_list(key, "pk"))


def _suppliers(folder: Path) -> None:
    names = {"xinghe": "星河直充", "lantian": "蓝田充值", "yunka": "云卡供货", "baihe": "百合卡券"}
    names |= {"huayu": "花屿小店", "shanhe": "山河直充", "tongxin": "通信话费"}
    for code, name in names.items():
        told = json.loads((folder / f"{code}.json").read_text())
        supplier_save(code=code, name=name, adapter=told["protocol"], base_url=told["base_url"], config=told["config"])
    supplier_save(code=OWN_STOCK, name="自有库存", adapter="stock", base_url="", config={})
    supplier_save(code=MANUAL, name="人工代办", adapter="manual", base_url="", config={})


@transaction.atomic
def _offers() -> None:
    suppliers = {supplier.code: supplier for supplier in Supplier.objects.all()}
    offers = []
    for variant in Variant.objects.filter(product__is_on_shelves=True, product__owner=None).select_related("product"):
        is_code = variant.product.kind == Product.Kind.CODE
        sources: tuple[tuple[str, Decimal], ...] = CODES if is_code else DIRECT
        if variant.product.kind == Product.Kind.PHONE:
            sources += PHONE_CREDIT
        for rank, (code, share) in enumerate(sources, start=2 if is_code else 1):
            cost = (variant.supply_price * share).quantize(Decimal("0.0001"))
            offers.append(
                SupplierOffer(supplier=suppliers[code], variant=variant, supplier_sku=variant.sku, cost=cost, rank=rank)
            )
    for code, (share, slugs) in ASKED_LAST.items():
        for variant in Variant.objects.filter(product__slug__in=slugs).select_related("product"):
            rank = 1 + max(offer.rank for offer in offers if offer.variant_id == variant.pk)
            cost = (variant.supply_price * share).quantize(Decimal("0.0001"))
            sku = _shop_code(variant.sku) if code == "huayu" else variant.sku
            offers.append(
                SupplierOffer(supplier=suppliers[code], variant=variant, supplier_sku=sku, cost=cost, rank=rank)
            )
    offers += _manual_offers(suppliers[MANUAL])
    SupplierOffer.objects.bulk_create(offers, ignore_conflicts=True)


def _licenses() -> None:
    """What some categories require, and everybody's papers, one of which ends soon. What an operator set meanwhile
    stays: only a platform that has none yet is given any."""
    if Requirement.objects.exists() or License.objects.exists():
        return
    today = timezone.localdate()
    year = date(today.year - 1, 1, 1)
    soon = today + timedelta(days=LICENSE_ENDS_DAYS)
    for supplier in Supplier.objects.all():
        for place, kind in enumerate(sorted({kind for kinds in LICENSES_REQUIRED.values() for kind in kinds})):
            ends = soon if (supplier.code, kind) == LICENSE_ENDS_SOON else date(today.year + 2, 12, 31)
            number = f"DEMO-{supplier.pk:02d}{place + 1:02d}-{year:%Y}"
            terms = Terms(kind, number, "演示发证机关", year, ends, note="演示数据")
            license_add(supplier=supplier.code, terms=terms, actor="system")
    for category, kinds in LICENSES_REQUIRED.items():
        requirements_set(category=category, kinds=kinds, actor="system")


def _shop_code(sku: str) -> str:
    """What an acg-faka shop might call it: sixteen digits and letters."""
    return hashlib.sha256(sku.encode()).hexdigest()[:16].upper()


def _manual_offers(people: Supplier) -> Iterable[SupplierOffer]:
    games = Product.objects.filter(kind=Product.Kind.TOPUP, owner=None).order_by("position")[:MANUAL_PRODUCTS]
    for variant in Variant.objects.filter(product__in=list(games)):
        yield SupplierOffer(
            supplier=people,
            variant=variant,
            supplier_sku=variant.sku,
            cost=variant.supply_price,
            rank=9,
            is_active=False,
        )


def _tell_sandbox() -> None:
    """The other side charges what our offers say; a sandbox that is not there yet charges what it likes."""
    http = HttpClient(connect=1, read=3, total=5)
    try:
        for code in [code for code, _share in (*DIRECT, *CODES, *PHONE_CREDIT)] + list(ASKED_LAST):
            offers = SupplierOffer.objects.filter(supplier__code=code).values_list("supplier_sku", "cost")
            prices = {sku: f"{cost:.4f}" for sku, cost in offers if cost is not None}
            url = f"{settings.SANDBOX_URL}/_control/suppliers/{code}/prices"
            http.request("POST", url, headers=_JSON, body=json.dumps(prices).encode())
    except HttpFailure as error:
        logger.info("no sandbox to tell prices to: %s", error)
    finally:
        http.close()


def _stock(*, bench: bool) -> None:
    own = Supplier.objects.get(code=OWN_STOCK)
    products = Product.objects.filter(kind=Product.Kind.CODE, owner=None).order_by("position")[:STOCKED_PRODUCTS]
    for place, product in enumerate(products):
        variant = product.variants.order_by("position").first()
        if variant is None:
            continue
        SupplierOffer.objects.get_or_create(
            supplier=own,
            variant=variant,
            defaults={"supplier_sku": variant.sku, "rank": 1, "cost": variant.supply_price * OWN_SHARE},
        )
        wanted = BENCH_CODES if bench and place == 0 else STOCKED_CODES
        missing = wanted - StockCode.objects.filter(variant=variant, supplier=own, reference="").count()
        if missing > 0:
            stock_load(supplier=own, variant=variant, codes=(_demo_code() for _ in range(missing)))


def _demo_code() -> str:
    """A code that looks like one and opens nothing."""
    alphabet = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
    text = "".join(secrets.choice(alphabet) for _ in range(16))
    return "-".join(text[start : start + 4] for start in range(0, 16, 4))


def _shop(wanted: shop_data.DemoShop) -> Reseller:
    shop: Reseller | None = Reseller.objects.filter(slug=wanted.slug).first()
    if shop is None:
        look = {name: getattr(wanted, name) for name in _LOOK}
        opened = shop_open(
            slug=wanted.slug, name=wanted.name, host_names=wanted.hosts, categories=list(wanted.categories), **look
        )
        shop = opened.shop
        with schema_context(shop.schema_name):
            _rules(wanted.rules)
    for host in wanted.hosts:
        domain_add(shop=shop, host=host)
    shop_touch(shop_id=shop.pk)
    return shop


def _rules(rules: Iterable[shop_data.DemoRule]) -> None:
    categories = dict(Category.objects.values_list("slug", "pk"))
    variants = dict(Variant.objects.values_list("sku", "pk"))
    PriceRule.objects.bulk_create(
        PriceRule(
            category_id=categories[rule.category] if rule.category else None,
            variant_id=variants[rule.sku] if rule.sku else None,
            kind=rule.kind,
            value=rule.value,
            rounding=rule.rounding,
        )
        for rule in rules
    )


def _log_ins(shops: Iterable[Reseller]) -> list[LogIn]:
    """Accounts with passwords made once: a demo that is reachable by others must not have known ones."""
    path = settings.VAR_DIR / "demo.json"
    kept = json.loads(path.read_text()) if path.exists() else []
    known = {(entry["url"], entry["user"]): entry["password"] for entry in kept}
    # Two, because some things need another pair of eyes: appeals, money by hand.
    wanted = [
        (where, get_public_schema_name(), settings.OPERATIONS_HOST, "admin", user)
        for where, user in (("运营台 operations", "operator"), ("运营台 second", "reviewer"))
    ]
    wanted += [(f"{shop.name} owner", shop.schema_name, _host(shop), "manage", "owner") for shop in shops]
    log_ins = []
    for where, schema_name, host, page, user in wanted:
        url = f"{settings.PUBLIC_SCHEME}://{host}:{settings.PUBLIC_PORT}/{page}/"
        password = known.get((url, user)) or secrets.token_urlsafe(9)
        staff_set(schema_name=schema_name, username=user, password=password)
        log_ins.append(LogIn(where, url, user, password))
    path.write_text(json.dumps([vars(entry) for entry in log_ins], ensure_ascii=False, indent=2))
    path.chmod(0o600)
    return log_ins


def _host(shop: Reseller) -> str:
    return str(shop.domains.order_by("-is_primary", "pk").values_list("domain", flat=True)[0])
