"""One attempt to buy with everything about it, and what a person may decide."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django_tenants.utils import tenant_context

from fulfillment.admin import ATTEMPT_TONES, WORK_TONES
from fulfillment.calls import CODES
from fulfillment.decisions import attempt_ask, attempt_confirm, attempt_fail
from fulfillment.models import Delivery, Fulfillment, SupplierOrder
from fulfillment.reason_words import reason_words
from fulfillment.suppliers.admin.score import parts_shown
from fulfillment.suppliers.after_sales import after_sales_ask, asked_about
from fulfillment.suppliers.base import Capability, SupplierMisconfigured
from fulfillment.suppliers.connections import adapter_of
from fulfillment.suppliers.models import DuplicateSupply, StockCode, Supplier
from fulfillment.suppliers.owner_hands.adapter import OwnerHandsAdapter
from fulfillment.suppliers.registry import adapters_with
from kameng.admin.bases import actor_of
from kameng.admin.sites import operations_site
from kameng.core.ids import normalize, shop_id_of
from kameng.core.problems import Problem
from kameng.operations.choices import choice_words, passed_over
from kameng.operations.cross_shop import every_shop
from kameng.operations.forms import AskForm, ConfirmForm, FailForm
from orders.admin import account_text
from orders.decisions import decision_said
from orders.events import event_write
from resellers.models import Reseller

UpForm = AskForm | ConfirmForm | FailForm


def _shop_of(reference: str) -> Reseller:
    """The shop that a number names."""
    shop_id = shop_id_of(reference)
    found = next((shop for shop in every_shop() if shop.pk == shop_id), None)
    if found is None:
        raise Http404
    return found


def _attempt(reference: str) -> SupplierOrder:
    """The attempt in the shop that was entered."""
    found = (
        SupplierOrder.objects.select_related("fulfillment__line__order", "supplier").filter(reference=reference).first()
    )
    if found is None:
        raise Http404
    return found


def by_hand() -> list[str]:
    """The adapters behind which a person of ours delivers; owners deliver in their own admin."""
    return [code for code in adapters_with(Capability.MANUAL) if code != OwnerHandsAdapter.code]


def when_unclear(supplier: Supplier) -> str:
    """What the protocol's own document advises; empty for a connection that is not fit for use any more."""
    try:
        return adapter_of(supplier).when_unclear
    except SupplierMisconfigured:
        return ""


def _question(buy: SupplierOrder) -> str:
    """What to ask the supplier, to be copied: their number and ours, what and when; no account."""
    told = {
        "reference": buy.reference,
        "theirs": buy.supplier_reference or "–",
        "sku": buy.supplier_sku,
        "quantity": buy.quantity,
        "at": f"{timezone.localtime(buy.created_at):%Y-%m-%d %H:%M:%S}",
    }
    return (
        _(
            "请核实这笔订单是否成功：我方单号 %(reference)s，贵方单号 %(theirs)s，商品 %(sku)s × %(quantity)s，"
            "%(at)s 提交。请告知最终结果，谢谢。"
        )
        % told
    )


def _decidable(buy: SupplierOrder) -> bool:
    """Whether it waits for a person: its work does, or a person delivers it."""
    work = buy.fulfillment
    if work.status == Fulfillment.Status.MANUAL:
        return bool(buy.sequence == work.attempts)
    return buy.status in SupplierOrder.ACTIVE and buy.supplier.adapter in by_hand()


def _forms(buy: SupplierOrder) -> dict[str, UpForm]:
    return {
        "confirm": ConfirmForm(wants_codes=buy.fulfillment.line.kind == CODES, quantity=buy.quantity),
        "fail": FailForm(),
        "question": AskForm(initial={"question": _question(buy)}),
    }


def _page(
    request: HttpRequest, reference: str, *, refused: dict[str, UpForm] | None = None, in_full: bool = False
) -> HttpResponse:
    shop = _shop_of(reference)
    with tenant_context(shop):
        buy = _attempt(reference)
        work, line = buy.fulfillment, buy.fulfillment.line
        attempts = list(SupplierOrder.objects.filter(fulfillment=work).select_related("supplier").order_by("-sequence"))
        if in_full:
            event_write(line.order, "order.looked_into", actor=actor_of(request))
        delivered = dict.fromkeys(Delivery.objects.filter(fulfillment=work).values_list("supplier_order_id", flat=True))
        references = [attempt.reference for attempt in attempts]
        asked = asked_about(references)
        duplicates = {found.reference: found for found in DuplicateSupply.objects.filter(reference__in=references)}
        kept = list(StockCode.objects.filter(reference__in=references).values_list("reference", flat=True))
    now = timezone.now()
    timeline = [
        {
            "buy": attempt,
            "tone": ATTEMPT_TONES[SupplierOrder.Status(attempt.status)],
            "reason": reason_words(attempt.code) if attempt.code else "",
            "why": choice_words(attempt.choice),
            "others": passed_over(attempt.choice),
            "score": parts_shown(attempt.choice),
            "took": ((attempt.finished_at or now) - attempt.created_at).total_seconds(),
            "is_used": attempt.pk in delivered,
            "codes": kept.count(attempt.reference),
            "asked": [question for question in asked if question.reference == attempt.reference],
            "duplicate": duplicates.get(attempt.reference),
        }
        for attempt in attempts
    ]
    is_hand = buy.supplier.adapter in by_hand()
    context = {
        "title": _("采购单 %(reference)s") % {"reference": buy.reference},
        "up_url": reverse("operations:attempts"),
        "up_title": _("采购单"),
        "shop": shop,
        "buy": buy,
        "tone": ATTEMPT_TONES[SupplierOrder.Status(buy.status)],
        "work": work,
        "work_tone": WORK_TONES[Fulfillment.Status(work.status)],
        "line": line,
        "account": account_text(line, in_full=in_full),
        "in_full": in_full,
        "timeline": timeline,
        "can_decide": _decidable(buy),
        "is_hand": is_hand,
        "age": (now - buy.created_at).total_seconds(),
        "advice": when_unclear(buy.supplier),
        "has_open_question": any(not question.answer for question in asked if question.reference == buy.reference),
        **_forms(buy),
        **(refused or {}),
    }
    return operations_site.render(request, "staff/attempt.html", context, status=422 if refused else 200)


@operations_site.page("attempts/<str:reference>/", name="attempt")
@require_safe
def attempt(request: HttpRequest, reference: str) -> HttpResponse:
    """One attempt among all that were made for its line."""
    return _page(request, normalize(reference))


def _confirm(request: HttpRequest, buy: SupplierOrder) -> tuple[str, UpForm]:
    wants_codes = buy.fulfillment.line.kind == CODES
    form = ConfirmForm(request.POST, wants_codes=wants_codes, quantity=buy.quantity)
    if form.is_valid():
        attempt_confirm(
            supplier_order_id=buy.pk,
            actor=actor_of(request),
            note=form.cleaned_data["note"],
            codes=form.cleaned_data.get("codes", ()),
        )
    return _("已按到账处理，买家会马上看到"), form


def _fail(request: HttpRequest, buy: SupplierOrder) -> tuple[str, UpForm]:
    form = FailForm(request.POST)
    if not form.is_valid():
        return "", form
    decision = attempt_fail(supplier_order_id=buy.pk, actor=actor_of(request), note=form.cleaned_data["reason"])
    return decision_said(decision), form


def _ask_again(request: HttpRequest, buy: SupplierOrder) -> tuple[str, UpForm | None]:
    attempt_ask(supplier_order_id=buy.pk, actor=actor_of(request))
    return _("已安排再问一次，几秒后刷新看结果"), None


def _ask_supplier(request: HttpRequest, buy: SupplierOrder) -> tuple[str, UpForm]:
    form = AskForm(request.POST)
    if form.is_valid():
        after_sales_ask(
            supplier_id=buy.supplier_id,
            schema_name=_shop_of(buy.reference).schema_name,
            reference=buy.reference,
            question=form.cleaned_data["question"],
            actor=actor_of(request),
        )
    return _("已记下提问，从现在起算对方的答复用时"), form


#: What may be done to an attempt, and the name under which the page knows the form.
_ACTS: dict[str, tuple[str, Callable[[HttpRequest, SupplierOrder], tuple[str, Any]]]] = {
    "confirm": ("confirm", _confirm),
    "fail": ("fail", _fail),
    "ask": ("", _ask_again),
    "question": ("question", _ask_supplier),
}


@operations_site.page("attempts/<str:reference>/act/", name="attempt_act")
@require_POST
def attempt_act(request: HttpRequest, reference: str) -> HttpResponse:
    """Decide about an attempt, ask about it, or look at its account in full, which is written down."""
    reference, act = normalize(reference), request.POST.get("act", "")
    actor_of(request)  # the account is read here, in its own schema, before another one is entered
    if act == "look_in_full":
        return _page(request, reference, in_full=True)
    if act not in _ACTS:
        raise Http404
    name, does = _ACTS[act]
    form: Any = None
    with tenant_context(_shop_of(reference)):
        buy = _attempt(reference)
        try:
            said, form = does(request, buy)
        except Problem as refusal:
            messages.error(request, " ".join([str(refusal), *(str(text) for text in refusal.fields.values())]))
            form = _typed_again(name, buy, request)
            said = ""
    if said and (form is None or not form.errors):
        messages.success(request, said)
        return redirect("operations:attempt", reference=reference)
    if form is None:
        return redirect("operations:attempt", reference=reference)
    form.forget_codes()
    return _page(request, reference, refused={name: form})


def _typed_again(name: str, buy: SupplierOrder, request: HttpRequest) -> UpForm | None:
    """The form as it was typed, for a refusal that came from a service."""
    if name == "confirm":
        wants_codes = buy.fulfillment.line.kind == CODES
        return ConfirmForm(request.POST, wants_codes=wants_codes, quantity=buy.quantity)
    if name == "fail":
        return FailForm(request.POST)
    return AskForm(request.POST) if name == "question" else None
