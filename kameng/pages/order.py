"""The order's page: where the money went and whether the goods have come; codes only for whoever proves the contact."""

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from catalog.listings.shelf import shelf
from catalog.listings.views import page
from customers.sessions import customer_of
from fulfillment.exceptions import NothingToReveal
from fulfillment.reveals import RevealedCode, codes_reveal
from kameng.core.client import client_address
from kameng.core.ids import normalize
from kameng.core.throttle import allow
from kameng.opening.told import opened_of
from kameng.pages.story import CODE, order_story
from orders import access
from orders.faces import line_face, masked_contact
from orders.models import Order, OrderLine
from orders.views import LOOKUP_SECONDS, LOOKUPS, verify_page, visible_order
from payments.faces import due_of
from payments.models import Payment, Refund
from payments.purses import PURSES
from payments.selectors import payments_of
from resellers.context import in_english
from resellers.plans.skus import PRODUCT

MASK = "•••• •••• ••••"


@dataclass(frozen=True, slots=True)
class CodeFace:
    """A code on the page: masked, or in groups of four."""

    name: str
    masked: str = MASK
    text: str = ""

    @property
    def parts(self) -> list[str]:
        """Groups that are easy to compare; the text itself is what is copied. Sentences stay whole."""
        if "-" in self.text or " " in self.text or not self.text.isascii():
            return [self.text]
        return [self.text[start : start + 4] for start in range(0, len(self.text), 4)]


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def order(request: HttpRequest, number: str) -> HttpResponse:
    """One order. A browser that neither placed it nor proved its contact gets a form and nothing else."""
    found = visible_order(request, number)
    if found is None:
        return verify_page(request, number)
    return page(request, "shop/order.html", _context(request, found))


def _context(
    request: HttpRequest, seen: Order, *, revealed: list[RevealedCode] | None = None, error: str = ""
) -> dict[str, Any]:
    story = order_story(seen)
    found, lines = story.order, story.lines
    codes = _codes(lines, revealed, story.notes)
    again = story.status.action in ("reorder", "order_again", "reveal") and _is_on_sale(request, lines[0])
    return {
        "order": found,
        "status": story.status,
        "polling": not story.status.final,
        "version": story.version,
        "waited": story.waited,
        "waited_text": story.waited_text,
        "steps": story.steps,
        "why": story.why,
        "refunds": story.refunds,
        "lines": [line_face(line) for line in lines],
        "opened": opened_of(lines),
        "is_plan": lines[0].product_slug == PRODUCT,
        "paid_with": story.paid_with,
        "due": due_of(found),
        "refunded": story.refunded,
        "contact": masked_contact(found),
        "stamp": found.status in (Order.Status.FULFILLED, Order.Status.REFUNDED),
        "reorder_url": reverse("edit", args=[found.number]) if again else "",
        "codes": codes,
        "revealed": revealed is not None,
        "only_notes": bool(codes) and not any(line.kind == CODE for line in lines),
        "all_codes": "\n".join(code.text for code in codes),
        "how_to_use": _how_to_use(request, lines),
        "needs_proof": not access.has_proven(request, found),
        "proof_error": error,
        **_account(request, found),
    }


def _account(request: HttpRequest, found: Order) -> dict[str, Any]:
    """Whether the order is in this browser's account, can be kept there, or is an occasion to open one; and whether the
    shopper may still say where its refunds go."""
    own_device = access.is_own_device(request, found)
    customer = customer_of(request)
    if customer is None:
        is_occasion = own_device and found.paid_at is not None and found.customer_id is None
        return {"account": "offer" if is_occasion else ""}
    if found.customer_id is None:
        return {"account": "theirs_to_keep"}
    if found.customer_id != customer.pk:
        return {"account": ""}
    is_open = not found.owner_collects and not Refund.objects.filter(payment__order=found).exists()
    # What came from a purse goes back there.
    from_purses = found.paid_at is not None and all(
        one.gateway in PURSES for one in payments_of(found.pk) if one.status == Payment.Status.CONFIRMED
    )
    return {"account": "mine", "refund_choice": own_device and is_open and not from_purses}


def _codes(lines: list[OrderLine], revealed: list[RevealedCode] | None, notes: frozenset[int]) -> list[CodeFace]:
    faces = {line.sku: line_face(line) for line in lines}
    names = {sku: f"{face.product_name} {face.variant_name}" for sku, face in faces.items()}
    if revealed is not None:
        return [CodeFace(names[code.sku], text=code.code) for code in revealed]
    arrived = [line for line in lines if line.status == OrderLine.Status.DELIVERED]
    ready = [line for line in arrived if line.kind == CODE or line.pk in notes]
    return [CodeFace(names[line.sku]) for line in ready for _ in range(line.quantity)]


def _is_on_sale(request: HttpRequest, line: OrderLine) -> bool:
    return line.product_slug in shelf(request.shop).by_slug  # type: ignore[attr-defined]


def _how_to_use(request: HttpRequest, lines: list[OrderLine]) -> str:
    product = shelf(request.shop).by_slug.get(lines[0].product_slug)  # type: ignore[attr-defined]
    if product is None:
        return ""
    return (in_english() and product.notes_en) or product.notes


@require_safe
@never_cache
def order_status(request: HttpRequest, number: str) -> HttpResponse:
    """The headline and the steps, asked for while something is under way. 204 when nothing changed."""
    found = visible_order(request, number)
    if found is None:
        raise Http404
    context = _context(request, found)
    if context["version"] == request.GET.get("seen"):
        return HttpResponse(status=204)
    if not context["polling"]:
        # The page has another order now (codes first, receipt complete), so it is drawn anew.
        response = HttpResponse(status=204)
        response["HX-Refresh"] = "true"
        return response
    return render(request, "shop/_order_status.html", context)


@require_POST
@never_cache
def order_reveal(request: HttpRequest, number: str) -> HttpResponse:
    """Show the codes to whoever proves the contact; who looked is written down."""
    found = visible_order(request, number)
    if found is None:
        return redirect("order", number=normalize(number))
    template = "shop/_codes.html" if request.headers.get("HX-Request") else "shop/order.html"
    if not access.has_proven(request, found):
        address = client_address(request)
        if seconds := allow("reveal", f"{address}/{found.number}", limit=LOOKUPS, seconds=LOOKUP_SECONDS):
            error = _("操作太快了，%(seconds)s 秒后再试") % {"seconds": seconds}
            return page(request, template, _context(request, found, error=error), status=429)
        if not access.contact_matches(found, request.POST.get("contact", "")[:120]):
            error = _("和下单时留的不一样，请核对后再试")
            return page(request, template, _context(request, found, error=error), status=422)
    try:
        revealed = codes_reveal(order=found, actor="shopper", address=client_address(request))
    except NothingToReveal:
        return redirect("order", number=found.number)
    response = page(request, template, _context(request, found, revealed=revealed))
    return access.grant(response, request, found)
