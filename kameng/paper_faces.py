"""A paper as both admins draw it: the form that says what it says, how it stands in words, and its scans."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from django import forms
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from catalog.listings.faces import name_of
from catalog.models import Brand, Category
from compliance.models import Kind, License
from compliance.scans.models import Scan
from compliance.selectors import license_state
from compliance.services import Terms
from compliance.validity import State
from kameng.admin.forms import StaffForm

STATES: Mapping[State, tuple[str, Any]] = {
    State.WAITING: ("info", gettext_lazy("等待核对")),
    State.SENT_BACK: ("bad", gettext_lazy("退回")),
    State.VALID: ("ok", gettext_lazy("有效")),
    State.EXPIRING: ("warn", gettext_lazy("快到期")),
    State.EXPIRED: ("bad", gettext_lazy("已过期")),
    State.FUTURE: ("neutral", gettext_lazy("还没生效")),
    State.REPLACED: ("neutral", gettext_lazy("已被续期替换")),
    State.REVOKED: ("neutral", gettext_lazy("已作废")),
}


def names_by_slug(rows: Iterable[Category | Brand]) -> list[tuple[str, str]]:
    """What each is called, in the reader's language."""
    return [(one.slug, name_of(one)) for one in rows]


class TermsForm(StaffForm):
    """What a license says; empty scopes are everything."""

    kind = forms.ChoiceField(label=gettext_lazy("种类"), choices=Kind.choices)
    number = forms.CharField(label=gettext_lazy("编号"), max_length=80)
    issuer = forms.CharField(label=gettext_lazy("发证机关或授权方"), max_length=120)
    valid_from = forms.DateField(
        label=gettext_lazy("生效日"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    valid_until = forms.DateField(
        label=gettext_lazy("到期日"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=gettext_lazy("这一天还有效；长期有效就留空"),
    )
    categories = forms.MultipleChoiceField(
        label=gettext_lazy("限于类目"), required=False, help_text=gettext_lazy("都不选就是所有类目")
    )
    brands = forms.MultipleChoiceField(
        label=gettext_lazy("限于品牌"), required=False, help_text=gettext_lazy("都不选就是所有品牌")
    )
    note = forms.CharField(label=gettext_lazy("备注"), required=False, max_length=400)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.choose("categories", names_by_slug(Category.objects.all()))
        self.choose("brands", names_by_slug(Brand.objects.all()))

    def choose(self, name: str, rows: Iterable[tuple[str, str]]) -> None:
        """What a field offers."""
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(rows)

    def terms(self) -> Terms:
        """As the service takes them."""
        told = {name: self.cleaned_data[name] for name in TermsForm.base_fields}
        return Terms(**{**told, "categories": tuple(told["categories"]), "brands": tuple(told["brands"])})


def initial_of(paper: License) -> dict[str, Any]:
    """The form of a paper that is there."""
    return {name: getattr(paper, name) for name in TermsForm.base_fields}


def standing_of(paper: License) -> tuple[str, str]:
    """How a paper stands today: the tone, and words with the days that are left."""
    state = license_state(paper)
    tone, word = STATES[state]
    if state in (State.VALID, State.EXPIRING):
        left = (paper.valid_until - timezone.localdate()).days if paper.valid_until else None
        if left is None:
            return tone, _("长期有效")
        if left == 0:
            return tone, _("有效，今天是最后一天")
        return tone, ngettext("有效，%(days)s 天后到期", "有效，%(days)s 天后到期", left) % {"days": left}
    if state is State.FUTURE:
        return tone, _("%(day)s 起有效") % {"day": paper.valid_from}
    return tone, str(word)


def row_of(paper: License, categories: Mapping[str, str], brands: Mapping[str, str]) -> dict[str, Any]:
    """A paper for a list: how it stands, and its scope by the names of categories and brands."""
    tone, word = standing_of(paper)
    scope = [*_names(paper.categories, categories), *_names(paper.brands, brands)]
    return {"license": paper, "tone": tone, "word": word, "scope": scope, "state": license_state(paper).value}


def rows_of(papers: Iterable[License]) -> list[dict[str, Any]]:
    """The same for many; two queries."""
    categories, brands = dict(names_by_slug(Category.objects.all())), dict(names_by_slug(Brand.objects.all()))
    return [row_of(paper, categories, brands) for paper in papers]


def kinds_words(kinds: Iterable[str]) -> str:
    """Kinds by their names."""
    return "、".join(str(Kind(kind).label) for kind in kinds)


def picture(scan: Scan) -> HttpResponse:
    """The picture and nothing else: a browser that takes it for something other may do nothing with it."""
    response = HttpResponse(scan.data, content_type=f"image/{scan.kind}")
    name = f"{scan.subject}-{scan.pk}.{scan.kind}".replace(":", "-")
    response["Content-Disposition"] = f'inline; filename="{name}"'
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _names(slugs: Collection[str], known: Mapping[str, str]) -> list[str]:
    return [known.get(slug, slug) for slug in slugs]
