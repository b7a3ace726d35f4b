"""Who buys here, as their orders know them: masked, found by a whole contact, shown in full when somebody asks for it.

A contact that was paid for is a customer, with or without an account. The list walks from the newest paid order back
and keeps, of each contact, the first that it meets (`order_of_contact`), so a page costs the same in a shop of any
size.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from customers.accounts import customer_with
from customers.contacts import contact_clean
from customers.links import link_token
from customers.models import Customer as Account
from kameng.admin.bases import write_down
from kameng.admin.sites import Nav, shop_site
from kameng.core import sql
from kameng.core.encryption import digest
from kameng.core.problems import Problem
from kameng.core.throttle import require
from orders.badges import badge_of
from orders.faces import masked_contact, names_of
from orders.models import Order
from payments.faces import due_amounts

PER_PAGE = 50
#: A piece of a contact that is shorter fits too many.
SHORTEST_PIECE = 4
#: So many contacts one person may see in full, in so many seconds.
REVEALS, REVEAL_SECONDS = 60, 3600
#: And so many links to new passwords.
LINKS, LINK_SECONDS = 20, 3600

_COUNTS = "{0}.paid_at IS NOT NULL AND {0}.forgotten_at IS NULL"
#: The last paid order of each contact, newest first, a page of them. Only the condition on the contact differs.
_LAST = f"""
SELECT o.id FROM orders_order AS o
 WHERE {_COUNTS.format("o")} AND o.id < %(before)s AND {{condition}}
   AND NOT EXISTS (SELECT FROM orders_order AS later
                    WHERE later.contact_digest = o.contact_digest AND later.id > o.id AND {_COUNTS.format("later")})
 ORDER BY o.id DESC LIMIT %(limit)s
"""
#: What was paid twice and went back is no refund of what was bought; of an order that arrived whole, nothing else did.
_SUMS = f"""
SELECT o.contact_digest, count(*), sum(o.total), min(o.paid_at), max(o.paid_at), coalesce(sum(back.amount), 0)
  FROM orders_order AS o
  LEFT JOIN LATERAL (
       SELECT sum(refund.amount) AS amount FROM payments_payment AS payment
         JOIN payments_refund AS refund ON refund.payment_id = payment.id AND refund.status = 'succeeded'
        WHERE payment.order_id = o.id AND NOT payment.is_surplus
       ) AS back ON o.status IN ('paid', 'refunded', 'partly_refunded')
 WHERE o.contact_digest = ANY(%(digests)s) AND {_COUNTS.format("o")}
 GROUP BY o.contact_digest
"""


class LinkRefused(Problem):
    """Not by somebody of the shop."""

    status = 409
    message = gettext_lazy("这个账号的余额里有钱，链接要平台核对后给：请联系平台客服")


@dataclass(frozen=True, slots=True)
class Customer:
    """A contact, its last paid order, and the sums of all of them in yuan."""

    last: Order
    has_account: bool
    orders: int
    total: Decimal
    first_at: datetime
    last_at: datetime
    refunded: Decimal

    @property
    def masked(self) -> str:
        """The contact as it may always be seen."""
        return masked_contact(self.last)


def customers_of(*, text: str = "", before: int | None = None, limit: int = PER_PAGE) -> Sequence[Customer]:
    """Of the current shop, those whose last paid order is older than the order `before`, the newest first.

    `text` is a whole contact, one as it is shown (`138****8000`), or the end of a phone number.
    """
    condition, values = _condition(text)
    wanted = {**values, "before": before if before is not None else 2**62, "limit": limit}
    ids = [pk for (pk,) in sql.rows(sql.Report(_LAST.format(condition=condition)), wanted)]
    return with_sums(list(Order.objects.filter(pk__in=ids).order_by("-pk")))


def with_sums(last: Sequence[Order]) -> Sequence[Customer]:
    """The customers whose last orders these are, in three queries however many they are."""
    found = {
        row[0]: row[1:] for row in sql.rows(sql.Report(_SUMS), {"digests": [order.contact_digest for order in last]})
    }
    contacts = [order.contact for order in last]
    kept = set(Account.objects.filter(contact__in=contacts, closed_at=None).values_list("contact", flat=True))
    return [
        Customer(order, order.contact in kept, *found[order.contact_digest])
        for order in last
        if order.contact_digest in found
    ]


def _condition(text: str) -> tuple[str, dict[str, str]]:
    text = text.strip()
    if not text:
        return "true", {}
    if "*" not in text:
        try:
            return "o.contact_digest = %(digest)s", {"digest": digest(contact_clean(text), purpose="contact")}
        except ValueError:
            pass
    if len(text.replace("*", "")) < SHORTEST_PIECE:
        return "false", {}
    plain = re.sub(r"([\\%_])", r"\\\1", text.lower())
    pattern = re.sub(r"\*+", "%", plain)
    return "o.contact LIKE %(pattern)s", {"pattern": pattern if "*" in text else f"%{pattern}"}


@shop_site.page("customers/", name="customers", nav=Nav(gettext_lazy("生意"), gettext_lazy("顾客"), "person", 12))
@never_cache
@require_safe
def customers(request: HttpRequest) -> HttpResponse:
    """The list, newest buyers first."""
    text, before = request.GET.get("q", "")[:120], request.GET.get("before", "")
    is_number = before.isascii() and before.isdigit() and len(before) <= 18
    found = customers_of(text=text, before=int(before) if is_number else None, limit=PER_PAGE + 1)
    shown = found[:PER_PAGE]
    context = {
        "title": _("顾客"),
        "rows": shown,
        "query": text,
        "next": shown[-1].last.pk if len(found) > PER_PAGE else None,
        "is_first": not is_number,
    }
    return shop_site.render(request, "staff/customers.html", context)


@shop_site.page("customers/<int:order_id>/", name="customer")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def customer(request: HttpRequest, order_id: int) -> HttpResponse:
    """Whoever placed that order: sums, orders, and the whole contact for whoever asks and is written down."""
    asked = Order.objects.filter(pk=order_id, paid_at__isnull=False, forgotten_at__isnull=True).first()
    if asked is None:
        raise Http404
    mine = Order.objects.filter(
        contact_digest=asked.contact_digest, paid_at__isnull=False, forgotten_at__isnull=True
    ).order_by("-pk")
    contact = link = ""
    if request.POST.get("act") == "link":
        try:
            link = _link(request, asked)
        except Problem as refused:
            messages.error(request, str(refused))
            return redirect("manage:customer", order_id)
    elif request.method == "POST":
        try:
            require("customer-reveal", str(request.user.pk), limit=REVEALS, seconds=REVEAL_SECONDS)
        except Problem:
            messages.error(request, _("看得太多了，过一会儿再来。完整的联系方式只在要联系本人时看"))
            return redirect("manage:customer", order_id)
        contact = asked.contact
        write_down(request, asked, CHANGE, _("查看完整联系方式：%(masked)s") % {"masked": masked_contact(asked)})
    (found,) = with_sums([asked])
    page = Paginator(mine.prefetch_related("lines"), PER_PAGE).get_page(request.GET.get("page"))
    due = due_amounts(list(page))
    context: dict[str, Any] = {
        "title": found.masked,
        "up_url": reverse("manage:customers"),
        "up_title": _("顾客"),
        "customer": found,
        "contact": contact,
        "account": _account_of(asked),
        "link": link,
        "rows": [
            {
                "order": order,
                "goods": " ".join(names_of(order.lines.all()[0])),
                "badge": _badge(order),
                "paid": due[order.pk],
                "more": len(order.lines.all()) - 1,
            }
            for order in page
        ],
        "page_obj": page,
    }
    return shop_site.render(request, "staff/customer.html", context)


def _account_of(order: Order) -> Account | None:
    """The account of whoever placed an order, by its contact."""
    return customer_with(order.contact)


def _link(request: HttpRequest, asked: Order) -> str:
    """A link by which the customer sets a new password; who gave it is written down. Raises `LinkRefused`.

    Whoever has the link has the account, so where money lies in it nobody of a shop gives one: that is the platform's,
    for its own shop's owner, and for other shops by `manage.py customer_link`.
    """
    account = _account_of(asked)
    require("customer-link", str(request.user.pk), limit=LINKS, seconds=LINK_SECONDS)
    if account is None:
        raise LinkRefused(_("这个联系方式还没有账号"))
    is_ours = request.shop.is_house and request.user.is_superuser  # type: ignore[attr-defined]
    if (account.wallet or account.points) and not is_ours:
        raise LinkRefused
    write_down(request, asked, CHANGE, _("给出重设密码的链接：%(masked)s") % {"masked": masked_contact(asked)})
    return request.build_absolute_uri(reverse("account_reset", args=[link_token(account)]))


def _badge(order: Order) -> tuple[str, str]:
    tone, word = badge_of(order)
    return tone, str(word)
