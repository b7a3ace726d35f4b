"""The first page of a shop's own admin: today, the last fourteen days, and what there is to do."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from catalog.listings.selectors import own_goods
from compliance.selectors import papers_of_seller
from kameng.admin.sites import shop_site
from kameng.manage.checklist import checklist
from kameng.manage.figures import Figures, attention, figures
from kameng.manage.papers import attention_papers, missing
from kameng.manage.plan import plan_notice
from kameng.paper_faces import rows_of
from orders.badges import order_badge
from resellers.deposits.selectors import warning_of
from resellers.deposits.services import outlook_of
from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Name
from resellers.models import Reseller
from resellers.withdrawals.selectors import payee_pending

#: The drawing's own units; it scales to the page.
WIDTH, HEIGHT, GROUND, GAP = 700, 190, 160, 10


@dataclass(frozen=True, slots=True)
class Bar:
    """A day as a bar; positions in the drawing's units."""

    day: date
    sales: Decimal
    orders: int
    left: float
    top: float
    width: float
    height: float
    middle: float
    is_today: bool
    has_label: bool


def bars(now: Figures) -> list[Bar]:
    """The days as bars from zero; the best one fills the height. A day without a sale has none."""
    step = WIDTH / len(now.days)
    highest = now.highest or Decimal(1)
    drawn = []
    for place, day in enumerate(now.days):
        height = float(day.sales / highest) * (GROUND - 24)
        is_last = place == len(now.days) - 1
        drawn.append(
            Bar(
                day=day.day,
                sales=day.sales,
                orders=day.orders,
                left=round(place * step + GAP / 2, 1),
                top=round(GROUND - height, 1),
                width=round(step - GAP, 1),
                height=round(height, 1),
                middle=round((place + 0.5) * step, 1),
                is_today=is_last,
                has_label=(len(now.days) - 1 - place) % 2 == 0,
            )
        )
    return drawn


@shop_site.home
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """How the shop does today, and what its owner should look at."""
    now = figures()
    waiting = attention()
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    own = own_goods(shop, is_placed=False)
    goods = own.variants
    earned = None if shop.is_house else balances_of(shop.pk, Name.PENDING, Name.AVAILABLE, Name.DEPOSIT)
    context: dict[str, Any] = {
        "title": _("今天"),
        "now": now,
        "bars": bars(now),
        "drawing": {"width": WIDTH, "height": HEIGHT, "ground": GROUND},
        "attention": waiting,
        "stuck": [
            {"order": order, "badge": order_badge(order.status, {line.status for line in order.lines.all()})}
            for order in waiting.orders
        ],
        "breached": [variant for variant in goods if variant.is_visible and variant.breach is not None],
        "thin": [variant for variant in goods if variant.is_visible and variant.is_thin and variant.breach is None],
        "outdated": sum(variant.is_outdated for variant in goods),
        # Of what has no price of the owner's own, nothing is for the owner to do.
        "dear": sum(variant.is_too_dear and variant.own_price is not None for variant in goods),
        "hidden": sum(not variant.is_visible for variant in goods),
        "papers": attention_papers(rows_of(papers_of_seller(shop.slug))) if waiting.has_papers else [],
        "missing": missing(own),
        "domains_wrong": waiting.domains,
        "is_open": shop.is_open,
        # The house shop's is the platform's.
        "earned": earned,
        "deposit_warning": warning_of(shop, earned[Name.DEPOSIT]) if earned and waiting.owner_collects else "",
        "collects_alone": shop.collects_alone,
        "deposit_outlook": outlook_of(shop, earned[Name.DEPOSIT]) if earned else None,
        "settlement_days": shop.settlement_days,
        "payee_pending": payee_pending(shop.pk),
        "plan": plan_notice(shop),
        "setup": checklist(shop),
    }
    return shop_site.render(request, "staff/shop_home.html", context)
