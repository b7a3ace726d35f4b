"""The first page of a shop's own admin: today, the last fourteen days, and what there is to do."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from catalog.listings.models import Placement
from catalog.listings.selectors import PricedVariant, priced_goods
from compliance.selectors import papers_of_seller
from kameng.admin.bars import bars
from kameng.admin.sites import Allowed, shop_site
from kameng.manage.checklist import checklist
from kameng.manage.figures import attention, figures
from kameng.manage.papers import attention_papers, missing
from kameng.manage.plan import plan_notice
from kameng.paper_faces import rows_of
from orders.badges import badge_of
from resellers.deposits.selectors import warning_of
from resellers.deposits.services import outlook_of
from resellers.ledger.balances import balances_of
from resellers.ledger.posting import Name
from resellers.models import Reseller
from resellers.withdrawals.selectors import payee_pending

#: So many of what should be seen to are named; the others are counted.
NAMED = 3


def shown_names(variants: list[PricedVariant]) -> dict[int, str]:
    """What the shop calls the products of these, by their ids, where that is not as the platform does."""
    wanted = {variant.product_id for variant in variants}
    placed = Placement.objects.filter(product_id__in=wanted) if wanted else []
    return {placement.product_id: placement.shown_name for placement in placed if placement.shown_name}


def _told(variants: list[PricedVariant], names: dict[int, str]) -> list[dict[str, Any]]:
    """The first of them, as the page names them."""
    return [
        {
            "name": f"{names.get(one.product_id, one.product_name)} {one.own_name or one.name}",
            "price": one.price if one.own_price is None else one.own_price,
            "margin": one.margin,
        }
        for one in variants[:NAMED]
    ]


@shop_site.home
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """How the shop does today, and what whoever looks should see to; what is others' business is not there."""
    may = Allowed(shop_site, request, sends=False)
    now = figures()
    waiting = attention()
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    own = priced_goods(shop, is_placed=False)
    goods = own.variants if may["goods"] else ()
    breached = [variant for variant in goods if variant.is_visible and variant.breach is not None]
    thin = [variant for variant in goods if variant.is_visible and variant.is_thin and variant.breach is None]
    names = shown_names([*breached[:NAMED], *thin[:NAMED]])
    # The house shop's is the platform's.
    has_money = may["statement"] and not shop.is_house
    earned = balances_of(shop.pk, Name.PENDING, Name.AVAILABLE, Name.DEPOSIT) if has_money else None
    sees_deposit = earned is not None and may["deposit"]
    context: dict[str, Any] = {
        "title": _("今天"),
        "now": now,
        "drawing": bars([(f"{day.day:%m-%d}", day.sales) for day in now.days]),
        "attention": waiting,
        "stuck": [{"order": order, "badge": badge_of(order)} for order in waiting.orders if may["orders_order_change"]],
        "breached": breached,
        "breached_told": _told(breached, names),
        "thin": thin,
        "thin_told": _told(thin, names),
        "outdated": sum(variant.is_outdated for variant in goods),
        # Of what has no price of the owner's own, nothing is for the owner to do.
        "dear": sum(variant.is_too_dear and variant.own_price is not None for variant in goods),
        "hidden": sum(not variant.is_visible for variant in goods),
        "sent_back": waiting.sent_back if may["cases"] else 0,
        "withdrawals_rejected": waiting.withdrawals_rejected if may["withdrawals"] else 0,
        "papers": attention_papers(rows_of(papers_of_seller(shop.slug)))
        if waiting.has_papers and may["papers"]
        else [],
        "missing": missing(own) if may["papers"] else [],
        "domains_wrong": waiting.domains if may["domains"] else [],
        "is_open": shop.is_open,
        "earned": earned,
        "deposit_warning": warning_of(shop, earned[Name.DEPOSIT])
        if earned and sees_deposit and waiting.owner_collects
        else "",
        "collects_alone": shop.collects_alone,
        "deposit_outlook": outlook_of(shop, earned[Name.DEPOSIT]) if earned and sees_deposit else None,
        "settlement_days": shop.settlement_days,
        "payee_pending": payee_pending(shop.pk) if may["withdrawals"] else None,
        "plan": plan_notice(shop),
        "setup": checklist(shop) if may["setup"] else [],
    }
    return shop_site.render(request, "staff/shop_home.html", context)
