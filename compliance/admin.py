"""The screening's rules and groups of words, for operators. What does not hold its own examples is not kept."""

from typing import Any

from django import forms
from django.contrib.admin import display
from django.db.models import Q
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldBooleanSwitchWidget

from compliance.gate.rescreening import Outcome, foresee
from compliance.models import Rule, WordGroup
from compliance.rules import groups_now, rule_of, rule_save
from compliance.screening.book import Book
from compliance.screening.checking import check
from compliance.word_groups import book_with, group_problems, group_save
from kameng.admin.bases import ServiceAdmin, actor_of
from kameng.admin.forms import ServiceForm
from kameng.admin.sites import Nav, operations_site

#: Somebody waits for the answer: for so long everything is looked at, and so many are named.
PREVIEW_SECONDS, NAMED = 5.0, 8


class WordsField(forms.CharField):
    """Words, one a line."""

    def __init__(self, label: Any, help_text: Any = "", *, required: bool = False) -> None:
        super().__init__(
            label=label, help_text=help_text, required=required, widget=UnfoldAdminTextareaWidget({"rows": 4})
        )

    def prepare_value(self, value: Any) -> Any:
        """A line for each."""
        return "\n".join(value) if isinstance(value, (list, tuple)) else value

    def clean(self, value: Any) -> Any:
        """Each word once, in the order in which they were written."""
        lines = map(str.strip, str(super().clean(value)).splitlines())
        return list(dict.fromkeys(line for line in lines if line))


def _is_seen() -> forms.BooleanField:
    return forms.BooleanField(
        label=gettext_lazy("我看过影响，照样保存"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
        help_text=gettext_lazy("会让在售的内容下架时，先告诉你是哪些，勾上再保存才生效"),
    )


class RuleForm(ServiceForm):
    """A rule, its words one a line."""

    terms = WordsField(gettext_lazy("词"), gettext_lazy("一行一个。换写法、夹拼音、拆字也能找到"))
    sounds = WordsField(gettext_lazy("谐音词"), gettext_lazy("换成任何同音字也算；只放不会撞上正常词的"))
    exact = WordsField(gettext_lazy("原样词"), gettext_lazy("只按原样找，例如英文缩写"))
    but_not = WordsField(gettext_lazy("除非是"), gettext_lazy("包含上面的词、却是别的意思的短语，例如 外挂硬盘"))
    near = WordsField(gettext_lazy("附近要有"), gettext_lazy("至少一个；@games 这样的是词组"))
    also = WordsField(gettext_lazy("附近还要有"), gettext_lazy("至少一个"))
    unless = WordsField(gettext_lazy("有了就不算"), gettext_lazy("在标题或同一段文字里"))
    hits = WordsField(gettext_lazy("应当命中的例子"), gettext_lazy("一行一个标题，保存时会试"), required=True)
    misses = WordsField(gettext_lazy("不应命中的例子"))
    is_seen = _is_seen()

    def clean(self) -> dict[str, Any] | None:
        """Of a rule that would take something off sale, say what, and ask first."""
        cleaned = super().clean()
        if not self.errors and not self.cleaned_data["is_seen"] and self.cleaned_data["is_active"]:
            rule = Rule(**{name: value for name, value in self.cleaned_data.items() if name != "is_seen"})
            rule.category, rule.code = rule.category or self.instance.category, rule.code or self.instance.code
            foreseen = _foreseen(rule)
            if foreseen.fell:
                self.add_error("is_seen", _effect(foreseen))
        return cleaned


def _foreseen(rule: Rule) -> Outcome:
    """What this rule alone would take off sale. Nothing for one that its own examples do not hold for."""
    pure, groups = rule_of(rule), groups_now()
    if check(pure, groups):
        return Outcome()
    return foresee(book=Book([pure], groups), seconds=PREVIEW_SECONDS)


def _effect(foreseen: Outcome) -> str:
    names = "、".join(f"“{fall.title}”" for fall in foreseen.examples[:NAMED])
    told = {"fell": foreseen.fell, "looked": foreseen.looked, "names": names}
    if foreseen.is_whole:
        return _("会让 %(fell)s 个在售的内容下架：%(names)s。确认没错就勾上，再保存一次。") % told
    return _("只看完了 %(looked)s 个，其中 %(fell)s 个会下架：%(names)s。确认没错就勾上，再保存一次。") % told


class RuleAdmin(ServiceAdmin):
    """Words, their context, and examples that are tried when a rule is saved."""

    nav = Nav(gettext_lazy("合规"), gettext_lazy("筛查规则"), "shield", 62)
    form = RuleForm
    list_display = ("name_cell", "category", "severity", "version", "changed_by", "is_active")
    list_filter = ("category", "severity", "is_active")
    search_fields = ("code", "note")
    fields = (
        ("category", "code"), "note", ("severity", "window"), "terms", "sounds", "exact", "but_not", "near", "also",
        "unless", "hits", "misses", ("is_weak", "is_active"), "is_seen",
    )  # fmt: skip

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What a rule is called stays."""
        return ("category", "code") if obj is not None else ()

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service."""
        rule_save(rule=obj, actor=actor_of(request))

    @display(description=gettext_lazy("规则"), ordering="code")
    def name_cell(self, rule: Rule) -> SafeString:
        """What it is for, and its code."""
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub k-mono">{}</span></span>',
            rule.note,
            rule.code,
        )


class WordGroupForm(ServiceForm):
    """A group of words: what is put in, and what is taken out of those that it comes with."""

    added = WordsField(gettext_lazy("加进来的词"), gettext_lazy("一行一个"))
    retired = WordsField(gettext_lazy("停用的词"), gettext_lazy("一行一个，要是下面自带的词"))
    hits = WordsField(
        gettext_lazy("应当命中的例子"), gettext_lazy("一行一个标题，保存时用全部规则试；规则自己的例子也会重试")
    )
    misses = WordsField(gettext_lazy("不应命中的例子"))
    is_seen = _is_seen()

    def clean(self) -> dict[str, Any] | None:
        """Of words that would take something off sale, say what, and ask first."""
        cleaned = super().clean()
        if not self.errors and not self.cleaned_data["is_seen"]:
            typed = {name: value for name, value in self.cleaned_data.items() if name != "is_seen"}
            group = WordGroup(**{"code": self.instance.code, "words": self.instance.words, **typed})
            # What its examples do not hold for is refused where it is saved.
            foreseen = Outcome() if group_problems(group) else foresee(book=book_with(group), seconds=PREVIEW_SECONDS)
            if foreseen.fell:
                self.add_error("is_seen", _effect(foreseen))
        return cleaned


class WordGroupAdmin(ServiceAdmin):
    """Words that rules have in common."""

    nav = Nav(gettext_lazy("合规"), gettext_lazy("筛查词组"), "category", 63)
    form = WordGroupForm
    list_display = ("name_cell", "counts", "version", "changed_by")
    search_fields = ("code", "note", "words", "added")
    fields = ("code", "note", "added", "retired", "hits", "misses", "is_seen", "own_words", "named_by")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """What a group is called stays, and what it comes with is the software's."""
        return ("own_words", "named_by", *(("code",) if obj is not None else ()))

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """By the service."""
        group_save(group=obj, actor=actor_of(request))

    @display(description=gettext_lazy("词组"), ordering="code")
    def name_cell(self, group: WordGroup) -> SafeString:
        """What it is for, and how rules name it."""
        return format_html(
            '<span class="k-cell"><span class="k-strong">{}</span><span class="k-sub k-mono">@{}</span></span>',
            group.note,
            group.code,
        )

    @display(description=gettext_lazy("有效的词"))
    def counts(self, group: WordGroup) -> int:
        """How many."""
        return len(group.current)

    @display(description=gettext_lazy("自带的词"))
    def own_words(self, group: WordGroup) -> str:
        """All of them, those taken out too."""
        return "、".join(group.words) or "—"

    @display(description=gettext_lazy("用到它的规则"))
    def named_by(self, group: WordGroup) -> str:
        """Those that are active; some groups the screening itself reads as well."""
        word = f"@{group.code}"
        asked = Q(near__contains=[word]) | Q(also__contains=[word]) | Q(unless__contains=[word])
        return "、".join(rule.note for rule in Rule.objects.filter(asked, is_active=True)) or "—"


operations_site.register(Rule, RuleAdmin)
operations_site.register(WordGroup, WordGroupAdmin)
