"""Plans as goods: one product of the house shop that stands on no shelf, two variants for each plan, and our own desk
as the supplier of all of them. So a plan is ordered, paid, delivered, refunded and booked as anything else is.
"""

from decimal import Decimal

from django.db import transaction

from catalog.models import Category, Product, Revision, Variant
from catalog.screened import product_screen
from catalog.services import category_save, product_save
from fulfillment.suppliers.models import Supplier, SupplierOffer
from fulfillment.suppliers.opening.adapter import APPLICATION, OpeningAdapter
from fulfillment.suppliers.services import availability_refresh, supplier_save
from resellers.plans.models import Application, Plan
from resellers.plans.services import plan_save
from resellers.plans.skus import PRODUCT, sku_of

CATEGORY, SUPPLIER = "plans", "opening"
#: Which answer of the order's form says where the shop is.
ADDRESS = "address"
_FORM = [
    {
        "name": ADDRESS, "label": "店铺地址", "label_en": "Shop address", "type": "text", "required": True,
        "pattern": r"[^\s]{3,80}", "example": "shop.example.com",
    },
    {
        "name": APPLICATION, "label": "申请编号", "label_en": "Application", "type": "text", "required": True,
        "pattern": "[0-9A-Z]{12}", "example": "ABCDEFGHJKMN",
    },
]  # fmt: skip
#: An offer needs a cost to be bought; the desk charges nothing, and says so with each purchase.
_COST = Decimal("0.0001")


@transaction.atomic
def plan_write(*, plan: Plan) -> Plan:
    """Write a plan, and sell it so. Raises `PlanInvalid`."""
    saved = plan_save(plan=plan)
    plans_sell()
    return saved


@transaction.atomic
def plans_sell() -> None:
    """Bring the goods in line with the plans. Safe to call again."""
    product = _product()
    supplier = Supplier.objects.filter(code=SUPPLIER).first() or supplier_save(
        code=SUPPLIER, name=OpeningAdapter.name, adapter=OpeningAdapter.code, base_url="", config={}
    )
    for place, plan in enumerate(Plan.objects.all()):
        for kind, price, name, name_en in (
            (
                Application.Kind.OPENING,
                plan.first_price,
                f"{plan.name}套餐",
                f"{plan.name_en or plan.code} plan",
            ),
            (
                Application.Kind.RENEWAL,
                plan.yearly_rent,
                f"{plan.name}套餐 续一年",
                f"{plan.name_en or plan.code} plan, another year",
            ),
        ):
            sku = sku_of(kind, plan.code)
            variant, _made = Variant.objects.update_or_create(
                sku=sku,
                defaults={
                    "product": product,
                    "name": name,
                    "name_en": name_en,
                    "official_price": price,
                    "supply_price": price,
                    "max_quantity": 1,
                    "position": place,
                    # A plan that is not offered any more is still prolonged.
                    "is_active": plan.is_offered or kind == Application.Kind.RENEWAL,
                },
            )
            SupplierOffer.objects.get_or_create(
                supplier=supplier, variant=variant, defaults={"supplier_sku": sku, "cost": _COST}
            )
    product_screen(product.pk)
    availability_refresh(variant_ids=product.variants.values_list("pk", flat=True))
    Revision.bump()


def _product() -> Product:
    found = Product.objects.filter(slug=PRODUCT).first()
    if found is not None:
        return found
    category = Category.objects.filter(slug=CATEGORY).first() or category_save(
        category=Category(slug=CATEGORY, name="开店套餐", name_en="Plans", icon="grid", position=999)
    )
    return product_save(
        product=Product(
            category=category,
            slug=PRODUCT,
            kind=Product.Kind.MEMBERSHIP,
            name="开店",
            name_en="Open a shop",
            icon="shop",
            account_fields=_FORM,
            is_on_shelves=False,
            position=9999,
        )
    )
