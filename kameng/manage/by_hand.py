"""What waits for the owner's hands: until when, for whom, and the form that says that it is done, or cannot be."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from fulfillment.by_owner import LONGEST_NOTE, REFUSALS, ToDo, owner_deliver, owner_refuse, to_dos
from fulfillment.reason_words import reason_words
from kameng.admin.bases import actor_of
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.problems import Problem
from orders.admin import account_text

GROUP = gettext_lazy("生意")


class DeliverForm(StaffForm):
    """What was delivered."""

    buy = forms.IntegerField(widget=forms.HiddenInput)
    text = forms.CharField(
        max_length=40 * LONGEST_NOTE,
        required=False,
        widget=forms.Textarea({"rows": 3, "autocomplete": "off", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, wants_codes: bool = False, quantity: int = 1, **options: Any) -> None:
        super().__init__(*args, **options)
        text = self.fields["text"]
        if wants_codes:
            text.label = _("卡密，一行一个，共 %(count)s 个") % {"count": quantity}
        else:
            text.label = _("给买家的话，可以不写")
            text.help_text = _("例如「已充好，重新登录就能看到」。加密保存，只有买家能看。")


@shop_site.page("orders/by-hand/", name="by_hand", nav=Nav(GROUP, gettext_lazy("待我交付"), "pending", 12))
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def by_hand(request: HttpRequest) -> HttpResponse:
    """The most urgent first."""
    refused: DeliverForm | None = None
    if request.method == "POST":
        form = DeliverForm(request.POST, auto_id="id_refused_%s")
        if form.is_valid():
            try:
                said = _done(request, form.cleaned_data)
            except Problem as problem:
                if problem.status in (404, 409):
                    messages.error(request, str(problem))
                    return redirect("manage:by_hand")
                add_problem(form, problem)
            else:
                messages.success(request, said)
                return redirect("manage:by_hand")
        refused = form
    context = {
        "title": _("待我交付"),
        "rows": [_row(request, one, refused) for one in to_dos()],
        "reasons": [(reason.value, reason_words(reason)) for reason in REFUSALS],
    }
    return shop_site.render(request, "staff/by_hand.html", context, status=422 if refused is not None else 200)


def _done(request: HttpRequest, typed: dict[str, Any]) -> str:
    if request.POST.get("act") == "refuse":
        reason = request.POST.get("reason", "")[:40]
        owner_refuse(supplier_order_id=typed["buy"], actor=actor_of(request), reason=reason)
        return _("已退款给买家")
    owner_deliver(supplier_order_id=typed["buy"], actor=actor_of(request), text=typed["text"])
    return _("已交付，买家的订单页马上能看到")


def _row(request: HttpRequest, one: ToDo, refused: DeliverForm | None) -> dict[str, Any]:
    line = one.work.line
    is_refused = refused is not None and str(refused["buy"].value()) == str(one.buy.pk)
    options: dict[str, Any] = {"wants_codes": one.wants_codes, "quantity": one.buy.quantity}
    form = DeliverForm(auto_id=f"id_{one.buy.pk}_%s", initial={"buy": one.buy.pk}, **options)
    return {
        "to_do": one,
        "line": line,
        # Whoever delivers needs all of it; platform staff who visit do not.
        "account": account_text(line, in_full=not hasattr(request, "visit")),
        # What was typed may be codes: they do not go back into a page.
        "form": form,
        "errors": [text for texts in refused.errors.values() for text in texts] if is_refused and refused else [],
    }
