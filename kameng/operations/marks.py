"""Pictures of protected brands, for operators: to add, to look at, and to put away."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from catalog.models import Brand
from compliance.marks import BOUNDS, KINDS, mark_add, mark_retire
from compliance.models import Mark
from kameng.admin.bases import actor_of
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, operations_site
from kameng.core.problems import NotFound, Problem
from kameng.operations.lists import GROUP
from kameng.operations.pictures import source_of


class MarkForm(StaffForm):
    """A picture of a brand."""

    brand = forms.ChoiceField(label=gettext_lazy("品牌"))
    file = forms.FileField(
        label=gettext_lazy("图片"),
        max_length=255,
        widget=forms.FileInput({"accept": ",".join(f"image/{kind}" for kind in sorted(KINDS))}),
        help_text=gettext_lazy("PNG、JPEG 或 WebP，最多 2 MB。要完整的标志，四周少留白；换了颜色、反色、缩放都认得出"),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        field: Any = self.fields["brand"]
        field.choices = [("", "—"), *Brand.objects.order_by("name").values_list("slug", "name")]


@operations_site.page("marks/", name="marks", nav=Nav(GROUP, gettext_lazy("品牌参考图"), "badge", 44))
@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def marks(request: HttpRequest) -> HttpResponse:
    """What pictures of shops are held against, by brand."""
    form = MarkForm()
    if request.method == "POST":
        act = request.POST.get("act", "")
        if act == "retire":
            return _retired(request)
        if act != "add":
            raise Http404
        form = MarkForm(request.POST, request.FILES)
        if form.is_valid():
            try:
                mark = _added(request, form)
            except Problem as refused:
                add_problem(form, refused)
            else:
                messages.success(request, _("%(name)s 的参考图已保存，正在对照各店的图片") % {"name": mark.name})
                return redirect("operations:marks")
    rows = [
        {"mark": mark, "source": source_of(mark.kind, bytes(mark.data))}
        for mark in Mark.objects.filter(retired_at=None).order_by("name", "pk")
    ]
    context = {"title": _("品牌参考图"), "rows": rows, "form": form}
    return operations_site.render(request, "staff/marks.html", context, status=422 if form.errors else 200)


def _added(request: HttpRequest, form: MarkForm) -> Mark:
    typed = form.cleaned_data
    brand = Brand.objects.get(slug=typed["brand"])
    # No more than one byte too many is read of what is too large.
    upload = typed["file"].read(BOUNDS.bytes + 1)
    return mark_add(brand=brand.slug, name=brand.name, upload=upload, actor=actor_of(request))


def _retired(request: HttpRequest) -> HttpResponse:
    number = request.POST.get("mark", "")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise Http404
    try:
        mark = mark_retire(mark_id=int(number), actor=actor_of(request))
    except NotFound as error:
        raise Http404 from error
    messages.success(request, _("%(name)s 的这张参考图不再使用，只因为像它而没展示的图片会恢复") % {"name": mark.name})
    return redirect("operations:marks")
