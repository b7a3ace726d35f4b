"""What an order for a plan tells beside what every order tells: where the shop is, or why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from fulfillment.suppliers.opening.adapter import APPLICATION
from orders.models import OrderLine
from resellers.links import shop_url
from resellers.plans.models import Application
from resellers.plans.skus import PRODUCT


@dataclass(frozen=True, slots=True)
class Opened:
    """For the page of an order."""

    #: Why it came to nothing; empty where it did not.
    refusal: str = ""
    url: str = ""
    username: str = ""
    is_renewal: bool = False
    #: It was done, and all of it was given back later: so was the time.
    is_taken_back: bool = False

    @property
    def manage_url(self) -> str:
        """Where the owner signs in."""
        return f"{self.url}manage/" if self.url else ""


def opened_of(lines: Sequence[OrderLine]) -> Opened | None:
    """What came of the application that an order paid for; None for an order of anything else, or while it waits."""
    line = next((line for line in lines if line.product_slug == PRODUCT), None)
    if line is None:
        return None
    found = Application.objects.filter(code=line.account_values.get(APPLICATION, "")).select_related("shop").first()
    if found is None:
        return None
    if line.status == OrderLine.Status.DELIVERED and found.shop is not None:
        is_renewal = found.kind == Application.Kind.RENEWAL
        return Opened(url=shop_url(found.shop), username=found.username, is_renewal=is_renewal)
    if line.status in (OrderLine.Status.FAILED, OrderLine.Status.REFUNDED):
        if found.status == Application.Status.DONE and found.order_number == line.order.number:
            return Opened(is_taken_back=True, url=shop_url(found.shop) if found.shop is not None else "")
        why = found.get_refusal_display() if found.refusal else _("没有办成")
        return Opened(refusal=str(why))
    return None
