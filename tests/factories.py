"""Things that tests need, made as the product makes them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import factory

from catalog.models import Category, Product, Revision, Variant
from customers.coupons.models import Coupon
from customers.coupons.services import Wanted as WantedCoupon
from customers.coupons.services import coupon_open
from fulfillment.suppliers.models import Supplier, SupplierOffer
from fulfillment.suppliers.own_goods import Wanted, own_good_save
from fulfillment.suppliers.owners import owners_stock
from fulfillment.suppliers.services import availability_refresh
from fulfillment.suppliers.stock_room import stock_load
from orders.models import Order
from orders.services import Buyer, LineRequest, order_place
from payments.merchants.models import GatewayAccount
from payments.models import Payment
from payments.services import payment_start
from resellers.models import Reseller

UID_FORM = [
    {
        "name": "uid",
        "label": "角色编号",
        "type": "text",
        "required": True,
        "pattern": r"[0-9]{6,12}",
        "example": "482019375",
    }
]
CONTACT = "13812345678"


class CategoryFactory(factory.django.DjangoModelFactory[Category]):
    """A shelf."""

    class Meta:
        model = Category

    slug = factory.Sequence(lambda n: f"category-{n}")
    name = factory.Sequence(lambda n: f"类目 {n}")


class ProductFactory(factory.django.DjangoModelFactory[Product]):
    """A game top-up with a form for one field."""

    class Meta:
        model = Product

    category = factory.SubFactory(CategoryFactory)
    slug = factory.Sequence(lambda n: f"product-{n}")
    name = factory.Sequence(lambda n: f"商品 {n}")
    kind = Product.Kind.TOPUP
    standing = "clear"
    account_fields = factory.LazyFunction(lambda: [dict(field) for field in UID_FORM])


class VariantFactory(factory.django.DjangoModelFactory[Variant]):
    """Official 60.00, supplied at 57.00."""

    class Meta:
        model = Variant

    product = factory.SubFactory(ProductFactory)
    sku = factory.Sequence(lambda n: f"sku-{n}")
    name = "600 点券"
    official_price = Decimal("60.00")
    supply_price = Decimal("57.00")
    max_quantity = 10


class SupplierFactory(factory.django.DjangoModelFactory[Supplier]):
    """A supplier behind the scripted adapter (use the `supplier_double` fixture)."""

    class Meta:
        model = Supplier

    code = factory.Sequence(lambda n: f"supplier-{n}")
    name = factory.SelfAttribute("code")
    adapter = "scripted"


class OfferFactory(factory.django.DjangoModelFactory[SupplierOffer]):
    """An offer at 55.00, in the order they are made."""

    class Meta:
        model = SupplierOffer

    supplier = factory.SubFactory(SupplierFactory)
    variant = factory.SubFactory(VariantFactory)
    supplier_sku = "S-1"
    cost = Decimal("55.0000")
    rank = factory.Sequence(lambda n: n + 1)


def on_sale(
    variant: Variant | None = None, *, suppliers: Sequence[str] = ("first", "second"), **fields: Any
) -> Variant:
    """A variant that the named scripted suppliers offer, best first."""
    variant = variant or VariantFactory.create(**fields)
    for rank, code in enumerate(suppliers, start=1):
        supplier = Supplier.objects.filter(code=code).first() or SupplierFactory.create(code=code)
        OfferFactory(supplier=supplier, variant=variant, rank=rank)
    availability_refresh(variant_ids=[variant.pk])
    Revision.bump()
    return variant


def code_on_sale(**fields: Any) -> Variant:
    """A variant of a code product that scripted suppliers offer."""
    product = ProductFactory(kind=Product.Kind.CODE, account_fields=[])
    return on_sale(product=product, **fields)


def stocked(codes: Sequence[str], **fields: Any) -> Variant:
    """A code variant with codes on our own shelf."""
    product = ProductFactory(kind=Product.Kind.CODE, account_fields=[])
    variant = VariantFactory.create(product=product, **fields)
    supplier = Supplier.objects.filter(code="own").first() or SupplierFactory.create(code="own", adapter="stock")
    OfferFactory(supplier=supplier, variant=variant, supplier_sku=variant.sku)
    stock_load(supplier=supplier, variant=variant, codes=codes)
    availability_refresh(variant_ids=[variant.pk])
    Revision.bump()
    return variant


def place(shop: Reseller, variant: Variant, *, quantity: int = 1, contact: str = CONTACT, **wishes: Any) -> Order:
    """An order for one line, as a guest places it."""
    account = {"uid": "482019375"} if variant.product.account_fields else {}
    line = LineRequest(sku=variant.sku, quantity=quantity, account=account)
    return order_place(shop=shop, lines=[line], contact=contact, buyer=Buyer(), **wishes).order


class GatewayAccountFactory(factory.django.DjangoModelFactory[GatewayAccount]):
    """An account at the scripted gateway (use the `gateway_double` fixture)."""

    class Meta:
        model = GatewayAccount

    code = factory.Sequence(lambda n: f"account-{n}")
    gateway = "scripted"
    name = factory.SelfAttribute("code")
    config = factory.LazyFunction(dict)


def open_payment(shop: Reseller, order: Order, *, channel: str = "qr") -> Payment:
    """An open attempt to collect at the scripted gateway."""
    if not GatewayAccount.objects.filter(gateway="scripted").exists():
        GatewayAccountFactory()
    return payment_start(
        order=order,
        shop_id=shop.pk,
        gateway="scripted",
        channel=channel,
        client_ip="127.0.0.1",
        return_url="https://shop.test/",
    )


def own_good(shop: Reseller, *, by_hand: int | None = None, **fields: Any) -> Variant:
    """A good of the shop owner's own at 20.00: codes from stock, or by hand within so many minutes onto an account."""
    fields.setdefault("kind", Product.Kind.CODE if by_hand is None else Product.Kind.TOPUP)
    asks = [dict(field) for field in UID_FORM] if fields["kind"] != Product.Kind.CODE else []
    category = fields.pop("category", None) or CategoryFactory.create()
    product = Product(category=category, hand_minutes=by_hand, account_fields=asks, **{"name": "店主的商品", **fields})
    wanted = [Wanted("标准", Decimal("20.00"), max_quantity=5)]
    own_good_save(shop=shop, product=product, wanted=wanted)
    return product.variants.select_related("product").get()


def own_stock(variant: Variant, codes: Sequence[str]) -> None:
    """Codes on the owner's shelf."""
    stock_load(supplier=owners_stock(), variant=variant, codes=codes)
    availability_refresh(variant_ids=[variant.pk])


def coupon(shop: Reseller | None, code: str = "SAVE3", *, by_platform: bool = False, **wanted: Any) -> Coupon:
    """A coupon of a shop's owner, or of the platform: 3.00 off, unless it says otherwise."""
    borne_by = Coupon.Bearer.PLATFORM if by_platform or shop is None else Coupon.Bearer.OWNER
    terms = {"kind": Coupon.Kind.AMOUNT, "value": Decimal("3.00"), **wanted}
    return coupon_open(wanted=WantedCoupon(code=code, **terms), shop=shop, borne_by=borne_by, actor="staff:owner")
