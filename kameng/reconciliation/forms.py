"""What operators bring: a supplier's bill of one day."""

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from fulfillment.suppliers.models import Supplier
from kameng.admin.forms import StaffForm
from kameng.reconciliation.parties import WITHOUT_BILLS, Party, supplier_party
from kameng.reconciliation.supplier_bills import MOST_BYTES


class BillForm(StaffForm):
    """Whose bill, of which day, and the file."""

    supplier = forms.ModelChoiceField(
        Supplier.objects.exclude(adapter__in=WITHOUT_BILLS).order_by("name"), label=gettext_lazy("供应商")
    )
    day = forms.DateField(
        label=gettext_lazy("账单日"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    file = forms.FileField(
        label=gettext_lazy("账单文件"),
        help_text=gettext_lazy(
            "CSV，UTF-8，第一行是列名：reference, supplier_reference, time, sku, quantity, amount, currency, state；"
            "state 填 done 或 failed，最大 50 MB"
        ),
    )

    def clean_day(self) -> Any:
        """Not a day that has not begun."""
        day = self.cleaned_data["day"]
        if day > timezone.localdate():
            raise forms.ValidationError(_("请选一个今天或更早的日期"))
        return day

    def clean_file(self) -> "UploadedFile[Any]":
        """Not too large; what is in it is read as it is stored."""
        uploaded: UploadedFile[Any] = self.cleaned_data["file"]
        if (uploaded.size or 0) > MOST_BYTES:
            raise forms.ValidationError(_("文件太大，最大 50 MB"))
        return uploaded

    def party(self) -> Party:
        """The supplier."""
        return supplier_party(self.cleaned_data["supplier"])
