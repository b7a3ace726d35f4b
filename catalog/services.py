"""Changing what the platform sells. Every change passes the gate (`compliance.gate`) in its own transaction, and moves
the revision, so that all shops see it within a second.
"""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tenants.utils import get_public_schema_name

from catalog import shelf_names
from catalog.account_schema import SchemaInvalid, clean_schema
from catalog.exceptions import CatalogInvalid
from catalog.models import Brand, Category, Product, Revision, Variant
from catalog.screened import product_screen
from catalog.search_texts import search_texts_write
from compliance.gate.services import refuse_forbidden
from compliance.gate.subjects import Standing, Subject
from kameng.outbox.services import publish
from resellers.services import shop_touch

MOST_PER_ORDER = 100
#: Characters of what a shopper should know before buying.
LONGEST_NOTES = 20_000


def shelves_move(product: Product) -> None:
    """What shelves show of a product has changed: of its owner's shop, or of all of them."""
    if product.owner_id is None:
        Revision.bump()
    else:
        shop_touch(shop_id=product.owner_id)


def _check(row: Category | Brand | Product | Variant) -> None:
    """The model's own rules, as a refusal that names the fields."""
    try:
        row.full_clean()
    except ValidationError as error:
        fields = {name: " ".join(texts) for name, texts in error.message_dict.items()}
        raise CatalogInvalid(fields.get("__all__"), fields=fields) from error


@transaction.atomic
def category_save(*, category: Category) -> Category:
    """Write a category, new or changed; its products are found by its new name, and screened with it.

    A doubtful name is not shown: the row that comes back is called as before, or by its code, and a case waits
    (`catalog.shelf_names`). Raises `CatalogInvalid` and `ContentBlocked`.
    """
    _check(category)
    shown = Category.objects.select_for_update(no_key=True).filter(pk=category.pk).values(*shelf_names.WORDS).first()
    wanted = {name: getattr(category, name) for name in shelf_names.WORDS}
    category.save()
    if wanted != shown:
        before = shown or {"name": category.slug, "name_en": ""}
        if shelf_names.names_screen(category, shown=before) or shown is None:
            shelf_names.products_follow(category.pk)
    Revision.bump()
    publish("category.refresh", category_id=category.pk)
    return category


@transaction.atomic
def brand_save(*, brand: Brand) -> Brand:
    """Write a brand, new or changed; its products are found by its new name, and screened with it.

    Raises `CatalogInvalid` and `ContentBlocked`.
    """
    _check(brand)
    is_renamed = not Brand.objects.filter(pk=brand.pk, name=brand.name, name_en=brand.name_en).exists()
    if is_renamed:
        subject = Subject("brand", get_public_schema_name(), brand.pk or 0)
        refuse_forbidden(subject, {"name": brand.name, "name_en": brand.name_en})
    brand.save()
    search_texts_write(Product.objects.filter(brand=brand))
    if is_renamed:
        _screen_all(Product.objects.filter(brand=brand))
    Revision.bump()
    return brand


@transaction.atomic
def product_save(*, product: Product) -> Product:
    """Write a product, new or changed. Codes have no account form, everything else asks whose account it is.

    What it says is screened: `product.standing` tells what came of it. Raises `CatalogInvalid`, and `ContentBlocked`
    for what may not be sold.
    """
    _check(product)
    for name in ("notes", "notes_en"):
        if len(getattr(product, name)) > LONGEST_NOTES:
            raise CatalogInvalid(fields={name: _("太长了，最多 %(limit)s 个字符") % {"limit": LONGEST_NOTES}})
    try:
        product.account_fields = clean_schema(product.account_fields)
    except SchemaInvalid as error:
        raise CatalogInvalid(fields={"account_fields": str(error)}) from error
    asks = any(field["required"] for field in product.account_fields)
    if product.kind == Product.Kind.CODE and product.account_fields:
        raise CatalogInvalid(fields={"account_fields": _("卡密不充到账号，账号表单要留空")})
    if product.kind != Product.Kind.CODE and not asks:
        raise CatalogInvalid(fields={"account_fields": _("直充商品至少要问一项必填的账号")})
    if product.kind != Product.Kind.CODE and product.pk and product.variants.filter(max_quantity__gt=1).exists():
        raise CatalogInvalid(fields={"kind": _("有面额一单可以买多件，先把它们的每单上限改成 1")})
    held = Product.objects.select_for_update(no_key=True).filter(pk=product.pk)
    before = held.values_list("category_id", "brand_id", "standing").first()
    # As it stands by now, and not when the form was drawn.
    product.standing = before[2] if before is not None else Standing.FLAGGED
    product.save()
    search_texts_write(Product.objects.filter(pk=product.pk))
    product.standing = product_screen(product.pk)
    shelves_move(product)
    if before is not None and before[:2] != (product.category_id, product.brand_id):
        # Another category may require licenses that the suppliers do not have.
        publish("category.refresh", category_id=product.category_id)
    return product


@transaction.atomic
def variant_save(*, variant: Variant, is_one_of_many: bool = False) -> Variant:
    """Write a variant, new or changed. Prices in yuan. Its product is screened with it.

    Whoever writes one of many screens the product once they are all there (`variants_screen`). Raises `CatalogInvalid`
    and `ContentBlocked`.
    """
    for name in ("official_price", "supply_price"):
        if not getattr(variant, name) > 0:
            text = _("%(sku)s：价格要大于 0") % {"sku": variant.sku}
            raise CatalogInvalid(text, fields={name: text})
    if variant.pk and Variant.objects.filter(pk=variant.pk).exclude(sku=variant.sku).exists():
        text = _("%(sku)s：编码用过就不能改，可以下架后另建一个") % {"sku": variant.sku}
        raise CatalogInvalid(text, fields={"sku": text})
    is_code = variant.product.kind == Product.Kind.CODE
    if not is_code and variant.max_quantity != 1:
        text = _("%(sku)s：直充一单只能充一次，每单上限要写 1") % {"sku": variant.sku}
        raise CatalogInvalid(text, fields={"max_quantity": text})
    if not 1 <= variant.max_quantity <= MOST_PER_ORDER:
        limits = {"sku": variant.sku, "limit": MOST_PER_ORDER}
        text = _("%(sku)s：每单上限应在 1 到 %(limit)s 之间") % limits
        raise CatalogInvalid(text, fields={"max_quantity": text})
    _check(variant)
    before = Variant.objects.filter(pk=variant.pk).values_list("supply_price", flat=True).first()
    if before is not None and variant.supply_price > before:
        variant.supply_raised_at = timezone.now()
    if variant.cost is not None and variant.cost > variant.supply_price:
        # Until the suppliers' side has looked whether anybody else is cheap enough.
        variant.is_available = False
    variant.save()
    if not is_one_of_many:
        variants_screen(product_id=variant.product_id)
    publish("variant.refresh", variant_sku=variant.sku)
    return variant


@transaction.atomic
def variants_screen(*, product_id: int) -> Standing:
    """A product's variants have changed: it is found by their names, and screened with them. How it stands now.

    Raises `ContentBlocked`.
    """
    search_texts_write(Product.objects.filter(pk=product_id))
    standing = product_screen(product_id)
    shelves_move(Product.objects.only("owner_id").get(pk=product_id))
    return standing


def _screen_all(products: QuerySet[Product]) -> None:
    for product_id in products.order_by("pk").values_list("pk", flat=True):
        product_screen(product_id)
