"""An owner's papers: handing them in, and how each stands."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from catalog.listings.selectors import PricedGoods, priced_goods
from catalog.models import Category
from compliance.models import License
from compliance.papers import MOST_PICTURES, REVIEW_DUE, paper_hand_in, paper_take_back
from compliance.scans.models import Scan
from compliance.scans.services import scan_open
from compliance.selectors import papers_of_seller
from compliance.validity import State
from kameng.admin.bases import write_down
from kameng.admin.forms import add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.pictures import PAPER
from kameng.core.problems import NotFound, Problem
from kameng.manage.look import SHOP_GROUP
from kameng.paper_faces import TermsForm, initial_of, names_by_slug, picture, rows_of
from resellers.models import Reseller

_SELLER = License.Holder.SELLER


class _Pictures(forms.ClearableFileInput):
    """Several at once; a phone offers its camera."""

    allow_multiple_selected = True


class _PicturesField(forms.FileField):
    """The files as they came; whether they are pictures is the service's to say."""

    def clean(self, data: Any, initial: Any = None) -> Any:
        """A list, empty where nothing was chosen."""
        return list(data or ())


class HandInForm(TermsForm):
    """A paper with its scans."""

    file = _PicturesField(
        label=gettext_lazy("照片或扫描件"),
        required=False,
        widget=_Pictures(attrs={"multiple": True, "accept": "image/jpeg,image/png,image/webp"}),
        help_text=gettext_lazy(
            "JPEG、PNG 或 WebP，手机拍的就行，每张最多 15 MB，最多 5 张。"
            "加密保存，只有平台核对的人和你能看，每次查看都有记录；照片里的位置等信息会去掉。"
        ),
    )

    def __init__(self, *args: Any, shop: Reseller, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["note"].help_text = _("给核对的人看，可以不写")
        if shop.categories:
            known = {*shop.categories, *self.initial.get("categories", ())}
            self.choose("categories", names_by_slug(Category.objects.filter(slug__in=known)))


def owner_of(request: HttpRequest) -> str:
    """An owner as the platform's trail names people: no operator can be called so, since names have no slash."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    return f"staff:{shop.slug}/{request.user.get_username()}"[:80]


def missing(goods: PricedGoods) -> list[dict[str, Any]]:
    """What is off sale because the shop lacks papers: for each category which, and how many amounts."""
    names = {category.slug: category.name for category in goods.categories}
    counts: dict[tuple[str, tuple[str, ...]], int] = {}
    for variant in goods.variants:
        if variant.lacks:
            key = (variant.category, variant.lacks)
            counts[key] = counts.get(key, 0) + 1
    return [
        {"category": names.get(category, category), "kinds": "、".join(kinds), "count": count}
        for (category, kinds), count in counts.items()
    ]


def attention_papers(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of the rows of a shop's papers, those about which the owner should do something: sent back, ending or ended and
    not handed in anew."""
    renewed = {row["license"].renews_id for row in rows if row["state"] == State.WAITING}
    urgent = (State.SENT_BACK, State.EXPIRING, State.EXPIRED)
    return [row for row in rows if row["state"] in urgent and row["license"].pk not in renewed]


@shop_site.page("papers/", name="papers", nav=Nav(SHOP_GROUP, gettext_lazy("证照"), "badge", 44))
@require_http_methods(["GET", "HEAD", "POST"])
def papers(request: HttpRequest) -> HttpResponse:
    """The shop's papers, what is missing, and the form that hands one in."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    if shop.is_house:
        if request.method == "POST":
            raise Http404
        return shop_site.render(request, "staff/own_papers.html", {"title": _("证照"), "is_house": True})
    if request.method == "POST" and request.POST.get("act") == "take_back":
        return _taken_back(request, shop)
    asked = request.POST.get("former") or request.GET.get("again") or ""
    former = _former(shop, asked)
    if asked and former is None and request.method == "POST":
        raise Http404
    initial = initial_of(former) if former is not None else {}
    form = HandInForm(
        request.POST if request.method == "POST" else None,
        request.FILES if request.method == "POST" else None,
        shop=shop, initial=initial,
    )  # fmt: skip
    if request.method == "POST" and form.is_valid():
        # No more than one byte too many is read of what is too large, and no more than one file too many.
        uploads = [one.read(PAPER.bytes + 1) for one in form.cleaned_data["file"][: MOST_PICTURES + 1]]
        try:
            handed = paper_hand_in(
                seller=shop.slug, terms=form.terms(), uploads=uploads, by=owner_of(request),
                former=former.pk if former else None,
            )  # fmt: skip
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, handed, ADDITION, _("提交证照"))
            hours = int(REVIEW_DUE.total_seconds() // 3600)
            messages.success(request, _("已提交，%(hours)s 小时内会有人核对") % {"hours": hours})
            return redirect("manage:papers")
    rows = rows_of(papers_of_seller(shop.slug).prefetch_related("scans"))
    context = {
        "title": _("证照"),
        "rows": rows,
        "missing": missing(priced_goods(shop)),
        "waiting_for": {row["license"].renews_id for row in rows if row["state"] == State.WAITING},
        "former": former,
        "form": form,
    }
    return shop_site.render(request, "staff/own_papers.html", context, status=422 if form.errors else 200)


def _former(shop: Reseller, asked: str) -> License | None:
    """One of the shop's own that is renewed or handed in anew."""
    if not (asked.isascii() and asked.isdigit() and len(asked) <= 18):
        return None
    return papers_of_seller(shop.slug).exclude(review=License.Review.WAITING).filter(pk=asked).first()


def _taken_back(request: HttpRequest, shop: Reseller) -> HttpResponse:
    asked = request.POST.get("paper", "")
    if not (asked.isascii() and asked.isdigit() and len(asked) <= 18):
        raise Http404
    try:
        paper_take_back(license_id=int(asked), seller=shop.slug, by=owner_of(request))
    except NotFound as error:
        raise Http404 from error
    except Problem as refused:
        messages.error(request, str(refused))
    else:
        write_down(request, License.objects.get(pk=asked), CHANGE, _("撤回证照"))
        messages.success(request, _("已撤回"))
    return redirect("manage:papers")


@shop_site.page("papers/scans/<int:scan_id>/", name="paper_scan")
@require_GET
@never_cache
def look(request: HttpRequest, scan_id: int) -> HttpResponse:
    """A scan of the shop's own, once it is written down who looks."""
    shop: Reseller = request.shop  # type: ignore[attr-defined]
    own = Scan.objects.filter(pk=scan_id, license__holder_kind=_SELLER, license__holder=shop.slug)
    if not own.exists():
        raise Http404
    return picture(scan_open(scan_id=scan_id, actor=owner_of(request)))
