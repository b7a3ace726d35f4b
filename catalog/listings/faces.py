"""What templates are told about goods: plain words in the reader's language."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Protocol

from django.utils.translation import gettext as _

from catalog.listings.shelf import Shelf, ShelfProduct, ShelfVariant
from catalog.phone_numbers import CARRIER_FIELD
from catalog.selectors import CatalogCategory
from resellers.context import in_english

#: Choosing among codes may take several; a top-up is one for one account.
CODE, PHONE, DATA = "code", "phone", "data"


class Named(Protocol):
    """Whatever the catalogue calls by two names."""

    @property
    def name(self) -> str: ...

    @property
    def name_en(self) -> str: ...


def name_of(named: Named) -> str:
    """What it is called, in the reader's language."""
    return (in_english() and named.name_en) or named.name


@dataclass(frozen=True, slots=True)
class CategoryFace:
    """A shelf."""

    slug: str
    name: str
    icon: str
    products: "tuple[ProductFace, ...]" = ()


@dataclass(frozen=True, slots=True)
class ProductFace:
    """A product."""

    slug: str
    kind: str
    name: str
    icon: str
    summary: str
    notes: str
    from_price: Decimal
    category: CategoryFace
    hand_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class VariantFace:
    """A denomination."""

    sku: str
    name: str
    note: str
    price: Decimal
    official_price: Decimal
    max_quantity: int
    available: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class FieldFace:
    """A question of the account form, with what was answered and what is wrong with it."""

    name: str
    label: str
    type: str
    required: bool
    example: str
    help_text: str
    choices: tuple[Mapping[str, str], ...]
    numeric: bool
    value: str = ""
    error: str = ""
    hint: str = ""
    #: Beside a phone number that is charged: the question who runs it now, if that is not who gave it out.
    carrier: "FieldFace | None" = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A short truth about a product, beside its name."""

    icon: str
    text: str


@dataclass(frozen=True, slots=True)
class Answers:
    """A product form as somebody filled it in, and what is wrong with it by field (`sku`, `uid`, `contact` …)."""

    sku: str = ""
    quantity: str = "1"
    contact: str = ""
    #: Empty: nobody has said anything, and the form begins with an adult.
    age: str = ""
    account: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


def category_face(category: CatalogCategory, products: "tuple[ProductFace, ...]" = ()) -> CategoryFace:
    """A shelf in the reader's language."""
    return CategoryFace(category.slug, name_of(category), category.icon, products)


def categories_of(shelf: Shelf) -> list[CategoryFace]:
    """All shelves of a shop."""
    return [category_face(category) for category in shelf.categories]


def product_face(product: ShelfProduct, category: CategoryFace) -> ProductFace:
    """A product in the reader's language."""
    english = in_english()
    return ProductFace(
        slug=product.slug,
        kind=product.kind,
        name=(english and product.name_en) or product.name,
        icon=product.icon,
        summary=(english and product.summary_en) or product.summary,
        notes=(english and product.notes_en) or product.notes,
        from_price=product.from_price,
        category=category,
        hand_minutes=product.hand_minutes,
    )


def product_faces(shelf: Shelf, products: list[ShelfProduct]) -> list[ProductFace]:
    """Products with their shelves."""
    categories = {category.slug: category for category in categories_of(shelf)}
    return [product_face(product, categories[product.category]) for product in products]


def variant_face(variant: ShelfVariant) -> VariantFace:
    """A denomination in the reader's language."""
    english = in_english()
    return VariantFace(
        sku=variant.sku,
        name=(english and variant.name_en) or variant.name,
        note=(english and variant.note_en) or variant.note,
        price=variant.price,
        official_price=variant.official_price,
        max_quantity=variant.max_quantity,
        available=variant.is_available,
    )


def field_faces(product: ShelfProduct, answers: Answers) -> list[FieldFace]:
    """The account form in the reader's language; the carrier of a phone is asked beside it."""
    english = in_english()
    faces = []
    for asked in product.account_fields:
        name = asked["name"]
        pattern = asked.get("pattern") or ""
        faces.append(
            FieldFace(
                name=name,
                label=(english and asked.get("label_en")) or asked["label"],
                type=asked["type"],
                required=asked.get("required", True),
                example="" if asked["type"] == "select" else asked.get("example", ""),
                help_text=(english and asked.get("help_en")) or asked.get("help", ""),
                choices=tuple(
                    {"value": choice["value"], "label": (english and choice.get("label_en")) or choice["label"]}
                    for choice in asked.get("choices") or ()
                ),
                numeric=pattern.startswith("[0-9]") and asked["type"] == "text",
                value=answers.account.get(name, ""),
                error=answers.errors.get(name, ""),
            )
        )
    carrier = next((face for face in faces if face.name == CARRIER_FIELD), None)
    if carrier is None or all(face.type != "tel" for face in faces):
        return faces
    return [replace(face, carrier=carrier) if face.type == "tel" else face for face in faces if face is not carrier]


def facts_of(product: ShelfProduct) -> list[Fact]:
    """What is true of every order of this kind."""
    if product.hand_minutes is not None:
        told = {"time": minutes_words(product.hand_minutes)}
        text = _("店主手工交付，客服时间内 %(time)s") if product.hand_in_hours else _("店主手工交付，%(time)s内")
        first = Fact("user", text % told)
    elif product.kind == CODE:
        first = Fact("key", _("付款后直接出卡密"))
    elif product.kind in (PHONE, DATA):
        first = Fact("phone", _("充到手机号，不用登录"))
    else:
        first = Fact("user", _("直充到账号，不要密码"))
    return [first, Fact("shield", _("没到账自动原路退款"))]


def minutes_words(minutes: int) -> str:
    """A time that is promised: `30 分钟`, `2 小时`, `3 天`."""
    if minutes < 60:
        return _("%(count)s 分钟") % {"count": minutes}
    if minutes <= 1440:
        return _("%(count)s 小时") % {"count": minutes // 60}
    return _("%(count)s 天") % {"count": minutes // 1440}
