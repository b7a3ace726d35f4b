"""Every text that the tables have is screened, or says here why not: what is added without either fails."""

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db.models import CharField, JSONField, Model, TextField

from catalog.listings.models import Listing, Placement
from catalog.listings.product_names import placement_facts
from catalog.listings.screened import listing_facts
from catalog.models import Brand, Category, Product, Variant
from catalog.screened import product_facts
from catalog.shelf_names import category_facts
from compliance.gate.authorizations import Authorizations
from compliance.gate.models import SubjectKind
from compliance.gate.shops import WORDS, shop_facts
from compliance.gate.subjects import Facts
from fulfillment.suppliers.models import Supplier, SupplierOffer
from fulfillment.suppliers.screened import offer_facts
from resellers.models import Reseller

NO_PAPERS = Authorizations()
CANARY = "金丝雀"
CODE = "a code: letters and digits of whoever runs the platform, in addresses alone"
CHOICE = "one of a list of ours"
FILE = "the name of a file of ours"
#: Apps whose rows hold nothing that anybody wrote for shoppers to read, or only copies of what was screened.
APART = {
    "accounts": "who signs in",
    "alerts": "the platform's own sentences to operators and owners",
    "brand": "pictures, which are looked at themselves (`compliance.gate.pictures`); what they say nobody reads",
    "clients": "keys and addresses of those who buy by API; what they call a key only its owner sees",
    "compliance": "licenses, rules and pictures of brands, which operators see",
    "coupons": "numbers and choices, of which names are made; a code is letters and digits, shown to who typed it",
    "customers": "how a shopper is reached, which only they and the shop's people see",
    "deposits": "owners' money; seen by the owner and operators",
    "desk": "decisions, which owners see",
    "domains": "hosts, which have rules of their own (`resellers.domains.names`)",
    "fulfillment": "what was bought for orders; codes are sealed, failures are told in words of ours",
    "gate": "the screening itself",
    "inbox": "what others sent, by its hash",
    "ledger": "the book",
    "merchants": "operators' accounts at gateways, of which shoppers see the way of paying in words of ours; where to "
    "transfer to is sealed and is a bank's name and a holder's, as two people type them with a second factor",
    "orders": "copies of screened names as they were sold, and what shoppers say of themselves",
    "outbox": "codes and numbers",
    "payments": "what gateways said, for operators",
    "plans": "operators' offers to owners, and what owners are called before the shop is opened through the gate",
    "reconciliation": "numbers of gateways and suppliers, for operators",
    "reports": "what shoppers say, which only operators see",
    "scans": "names of files, which only operators see",
    "supply": "what those who buy by API sent, and what they got",
    "trail": "what people decided, for operators",
    "transfers": "what operators wrote down of transfers",
    "visits": "who of the platform looked into which shop, and why; seen by its owner and operators",
    "withdrawals": "where owners get their money; seen by the owner and operators",
}
EXEMPT: Mapping[tuple[type[Model], str], str] = {
    (Brand, "slug"): CODE,
    (Brand, "name_en"): "on no page; what is forbidden is refused (`brand_save`)",
    (Category, "slug"): CODE,
    (Category, "icon"): FILE,
    (Product, "slug"): CODE,
    (Product, "kind"): CHOICE,
    (Product, "standing"): CHOICE,
    (Product, "icon"): FILE,
    (Product, "search_text"): "made of the others, and on no page",
    (Variant, "sku"): CODE,
    (Listing, "standing"): CHOICE,
    (Placement, "standing"): CHOICE,
    (Placement, "search_text"): "made of the name, and on no page",
    (Reseller, "schema_name"): CODE,
    (Reseller, "slug"): CODE,
    (Reseller, "brand_color"): "a color, by its pattern",
    (Reseller, "radius"): CHOICE,
    (Reseller, "density"): CHOICE,
    (Reseller, "theme_default"): CHOICE,
    (Reseller, "hours"): "times of the day",
    (Reseller, "logo_picture"): FILE,
    (Reseller, "favicon_picture"): FILE,
    (Reseller, "logo"): FILE,
    (Reseller, "credit_code"): "a number with a check digit",
    (Reseller, "telecom_license"): "a number, by its pattern",
    (Reseller, "icp"): "a number, by its pattern",
    (Reseller, "license_url"): "an address to look the license up at, which no page spells out",
    (Reseller, "categories"): CODE,
}
#: Fields of `suppliers` that shoppers see nothing of, but that say what they get.
OFFERED = "listed_name"


def texts_of(model: type[Model]) -> list[str]:
    """Its columns in which words may stand."""
    kinds = (CharField, TextField, JSONField, ArrayField)
    return [field.name for field in model._meta.concrete_fields if isinstance(field, kinds)]


def screened(facts: Facts) -> bool:
    """Whether the gate sees what was written."""
    return any(CANARY in text for text in facts.words.values())


def product_with(**words: Any) -> Product:
    """A product that was not saved, on its shelf."""
    return Product(**{"pk": 1, "category": Category(name="类目"), **words})


def facts_with(model: type[Model], name: str) -> Facts:
    """What the gate sees of a row of which that one field is written."""
    variants: list[Variant] = []
    if model is Product:
        value: Any = {"aliases": [CANARY], "account_fields": [{"name": "uid", "label": CANARY}]}.get(name, CANARY)
        product = product_with(**{name: value})
    elif model is Variant:
        product = product_with()
        variants = [Variant(**{"sku": "a", "official_price": 1, "supply_price": 1, name: CANARY})]
    elif model is Brand:
        product = product_with(brand=Brand(**{name: CANARY}))
    elif model is Listing:
        return listing_facts(
            Listing(**{name: CANARY}), Variant(product=product_with(name="点券"), name="600"), NO_PAPERS
        )
    elif model is Placement:
        return placement_facts(Placement(**{name: CANARY}), product_with(name="点券"), NO_PAPERS)
    elif model is Category:
        return category_facts(Category(**{name: CANARY}))
    else:
        assert model is Reseller
        shop = Reseller(**{name: CANARY})
        return shop_facts("", {one: getattr(shop, one) for one in WORDS})
    product._prefetched_objects_cache = {"variants": variants}  # type: ignore[attr-defined]
    return product_facts(product)


def test_every_text_of_goods_and_shops_is_screened_or_says_why_not() -> None:
    shown: tuple[type[Model], ...] = (Brand, Category, Product, Variant, Listing, Placement, Reseller)
    seen: set[tuple[type[Model], str]] = set()
    lacking = []
    for model in shown:
        for name in texts_of(model):
            seen.add((model, name))
            if ((model, name) in EXEMPT) == screened(facts_with(model, name)):
                lacking.append(f"{model._meta.label}.{name}")
    assert lacking == [], "screen it (a `Door`), or say in EXEMPT why not; and never both"
    assert EXEMPT.keys() <= seen
    assert screened(offer_facts(SupplierOffer(
        listed_name=CANARY, supplier=Supplier(name="甲"), variant=Variant(product=product_with())
    ), NO_PAPERS))  # fmt: skip


def test_every_other_table_says_why_nothing_of_it_is_screened() -> None:
    ours = {Brand, Category, Product, Variant, Listing, Placement, Reseller, SupplierOffer}
    apart = {"catalog", "listings", "resellers", "suppliers"} | APART.keys()
    project = ("catalog", "compliance", "resellers", "customers", "orders", "payments", "fulfillment", "kameng")
    models = [model for model in apps.get_models() if model.__module__.split(".")[0] in project]
    assert {model._meta.app_label for model in models} == apart, "say in APART why nothing of the app is screened"
    # Of apps with goods in them, what is not gone through field by field above.
    rest = {
        "catalog": {"Revision"},
        "listings": {"PriceRule", "Repricing"},
        # A copy of words that passed; only their owner reads them, and saying them again screens them again.
        "resellers": {"Domain", "Announcement"},
    }
    for label, names in rest.items():
        assert {one.__name__ for one in apps.get_app_config(label).get_models() if one not in ours} == names


def test_all_choices_and_words_of_an_account_form_are_screened() -> None:
    for key in ("label", "label_en", "help", "help_en", "example"):
        product = product_with(account_fields=[{"name": "uid", key: CANARY}])
        product._prefetched_objects_cache = {"variants": []}  # type: ignore[attr-defined]
        assert screened(product_facts(product)), key
    for key in ("label", "label_en"):
        product = product_with(account_fields=[{"name": "uid", "choices": [{"value": "1", key: CANARY}]}])
        product._prefetched_objects_cache = {"variants": []}  # type: ignore[attr-defined]
        assert screened(product_facts(product)), key


def test_every_kind_has_a_door_and_shops_are_opened_through_the_gate_alone() -> None:
    assert set(settings.SCREENED_SUBJECTS) == set(SubjectKind.values)
    root = Path(settings.BASE_DIR)
    project = ("catalog", "compliance", "resellers", "customers", "orders", "payments", "fulfillment", "kameng")
    callers = {
        path.relative_to(root).as_posix()
        for folder in project
        for path in (root / folder).rglob("*.py")
        if "reseller_open(" in (text := path.read_text()) and _calls(text, "reseller_open")
    }
    assert callers == {"compliance/gate/shops.py"}


def _calls(source: str, name: str) -> bool:
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return any(isinstance(func, ast.Name) and func.id == name for func in calls)
