"""What operators type about an attempt to buy."""

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kameng.admin.forms import StaffForm

SHORTEST_REASON = 6
LONGEST_CODE = 400


class AttemptForm(StaffForm):
    """About one attempt. Codes never go back into a page, whatever was wrong."""

    def forget_codes(self) -> None:
        """Draw the form without the codes that were typed."""
        if self.is_bound and "codes" in self.fields:
            self.data = {**self.data.dict(), self.add_prefix("codes"): ""}  # type: ignore[attr-defined]


class ConfirmForm(AttemptForm):
    """The goods have arrived: as codes, or at the account."""

    codes = forms.CharField(
        label=gettext_lazy("卡密"),
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "spellcheck": "false"}),
    )
    note = forms.CharField(
        label=gettext_lazy("依据"),
        max_length=150,
        min_length=SHORTEST_REASON,
        help_text=gettext_lazy("例如：对方客服截图、对方后台显示已到账"),
    )

    def __init__(self, *args: Any, wants_codes: bool, quantity: int, **options: Any) -> None:
        super().__init__(*args, prefix="confirm", **options)
        self.quantity = quantity
        if wants_codes:
            text = _("一行一个，买了 %(count)s 个就要贴 %(count)s 个；加密存放，贴了以后谁也看不到内容")
            self.fields["codes"].help_text = text % {"count": quantity}
        else:
            del self.fields["codes"]

    def clean_codes(self) -> list[str]:
        """As many as were bought, none twice, none that is too long to be one."""
        codes = [code.strip() for code in self.cleaned_data["codes"].splitlines() if code.strip()]
        if len(codes) != self.quantity:
            counts = {"wanted": self.quantity, "given": len(codes)}
            raise forms.ValidationError(_("要 %(wanted)s 个卡密，贴了 %(given)s 个") % counts)
        if len(set(codes)) != len(codes):
            raise forms.ValidationError(_("有卡密贴了两次"))
        if any(len(code) > LONGEST_CODE for code in codes):
            raise forms.ValidationError(_("有一行太长，不像卡密；请检查是不是一行一个"))
        return codes


class FailForm(AttemptForm):
    """The supplier certainly did not deliver, and will not."""

    reason = forms.CharField(
        label=gettext_lazy("依据"),
        max_length=150,
        min_length=SHORTEST_REASON,
        help_text=gettext_lazy("例如：渠道客服书面确认未充值"),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, prefix="fail", **options)


class AskForm(AttemptForm):
    """A question to the supplier, as it was sent."""

    question = forms.CharField(label=gettext_lazy("问了什么"), max_length=400, widget=forms.Textarea(attrs={"rows": 4}))
