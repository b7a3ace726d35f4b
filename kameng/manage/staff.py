"""A shop's people: who comes in, what they see to, and the links by which they come in for the first time."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.contrib.auth import login, logout
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from kameng.accounts.confirming import ConfirmedForm, has_second_factor
from kameng.accounts.models import Role, User
from kameng.accounts.people import (
    INVITED,
    InvitationRefused,
    invitation_of,
    invited,
    people,
    person_change,
    person_invite,
    person_invite_again,
    person_join,
)
from kameng.accounts.services import VISITOR
from kameng.admin.bases import write_down
from kameng.admin.forms import StaffForm, add_problem
from kameng.admin.sites import Nav, shop_site
from kameng.core.client import client_address
from kameng.core.problems import Problem
from kameng.core.throttle import require
from kameng.manage.rights import roles_text

_BACKEND = "django.contrib.auth.backends.ModelBackend"
OWNER = "owner"
#: What each role is, as it is chosen.
CHOICES = (
    (Role.SUPPORT.value, gettext_lazy("客服：看订单和顾客，发公告")),
    (Role.GOODS.value, gettext_lazy("商品：上下架、改价、申诉，发公告")),
    (Role.FINANCE.value, gettext_lazy("财务：看订单、收益和账单，导出；不能提现")),
    (OWNER, gettext_lazy("店主：全部，包括提现、密钥和管理员工")),
)
#: So many tries of a link from one address.
TRIES, TRY_SECONDS = 20, 300


class PersonForm(ConfirmedForm):
    """Who somebody is and what they see to. The second factor is asked for where an owner is made or changed."""

    first_name = forms.CharField(label=gettext_lazy("称呼"), max_length=40, required=False)
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("身份"), choices=CHOICES, required=False, widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("可以选几个。没选到的页面他打不开，菜单里也没有"),
    )  # fmt: skip

    def __init__(self, *args: Any, concerns_owner: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self.concerns_owner = concerns_owner
        if "code" in self.fields:
            self.fields["code"].required = False
            self.fields["code"].help_text = _("只有加店主、改店主时才要填")

    @property
    def wanted(self) -> dict[str, Any]:
        """As the services take it."""
        chosen = self.cleaned_data["roles"]
        return {
            "first_name": self.cleaned_data["first_name"],
            "roles": [Role(name) for name in chosen if name != OWNER],
            "is_owner": OWNER in chosen,
        }

    def confirm_if_needed(self) -> None:
        """Take the code where an owner is concerned. Raises as `confirm` does."""
        if self.concerns_owner or self.wanted["is_owner"]:
            self.confirm()


class InviteForm(PersonForm):
    """Somebody new."""

    username = forms.CharField(
        label=gettext_lazy("登录名"), max_length=60,
        help_text=gettext_lazy("字母、数字都行，以后不能改：操作记录里用它"),
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )  # fmt: skip
    field_order = ("username", "first_name", "roles")


class PersonChangeForm(PersonForm):
    """Somebody who is there."""

    is_active = forms.BooleanField(
        label=gettext_lazy("可以登录"), required=False,
        help_text=gettext_lazy("关掉就是停用：他正开着的页面马上失效，随时可以再开"),
    )  # fmt: skip


class JoinForm(StaffForm):
    """A first password, twice."""

    password = forms.CharField(
        label=gettext_lazy("设一个登录密码"), strip=False, max_length=128,
        help_text=gettext_lazy("至少 8 个字符，不能太常见"),
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )  # fmt: skip
    again = forms.CharField(
        label=gettext_lazy("再输一遍"), strip=False, max_length=128,
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )  # fmt: skip

    def clean_again(self) -> str:
        """The same."""
        if self.cleaned_data["again"] != self.cleaned_data.get("password"):
            raise forms.ValidationError(_("两次输入的不一样"))
        return str(self.cleaned_data["again"])


def _actor(request: HttpRequest) -> int:
    return request.user.pk or 0


def _link(request: HttpRequest, user: User) -> dict[str, Any]:
    """The link, which this one page shows."""
    address = reverse("staff_join", args=[invitation_of(user)])
    until = timezone.localtime() + INVITED
    return {"link": request.build_absolute_uri(address), "link_for": user, "link_until": until}


def _state(user: User) -> tuple[str, str]:
    if not user.is_active:
        return "neutral", _("停用")
    return ("ok", _("启用")) if user.has_usable_password() else ("warn", _("等他用邀请链接"))


def _page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    rows = []
    for user in people():
        factor = getattr(user, "second_factor", None)
        rows.append(
            {
                "user": user,
                "roles": roles_text(user) or _("还没有定"),
                "state": _state(user),
                "has_factor": factor is not None and factor.confirmed_at is not None,
            }
        )
    context = {
        "title": _("员工"),
        "rows": rows,
        "form": InviteForm(request=request),
        "has_factor": has_second_factor(request),
        **more,
    }
    return shop_site.render(request, "staff/people.html", context, status=status)


@shop_site.page("staff/", name="staff", nav=Nav(gettext_lazy("设置"), gettext_lazy("员工"), "group", 92))
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def staff(request: HttpRequest) -> HttpResponse:
    """Everybody, and a form to let one more in."""
    if request.method != "POST":
        return _page(request)
    form = InviteForm(request.POST, request=request)
    if form.is_valid():
        try:
            form.confirm_if_needed()
            made = person_invite(by=_actor(request), username=form.cleaned_data["username"], **form.wanted)
        except Problem as refused:
            add_problem(form, refused)
        else:
            write_down(request, made, ADDITION, _("邀请员工，身份：%(roles)s") % {"roles": roles_text(made)})
            return _page(request, **_link(request, made))
    return _page(request, status=422, form=form)


@shop_site.page("staff/<int:user_id>/", name="staff_member")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def staff_member(request: HttpRequest, user_id: int) -> HttpResponse:
    """One of them: what they see to, whether they come in, and another link."""
    user = User.objects.filter(pk=user_id, is_staff=True).exclude(username__startswith=VISITOR).first()
    if user is None:
        raise Http404
    form = _form(request, user)
    if request.method == "POST" and user.pk != _actor(request) and form.is_valid():
        again = request.POST.get("act") == "again"
        try:
            form.confirm_if_needed()
            changed = (
                person_invite_again(user_id=user.pk, by=_actor(request)) if again else _changed(request, form, user)
            )
        except Problem as refused:
            add_problem(form, refused)
        else:
            if again:
                write_down(request, changed, CHANGE, _("换了邀请链接，原来的密码作废"))
                return _page(request, **_link(request, changed))
            messages.success(request, _("已保存"))
            return redirect("manage:staff")
    context = {
        "title": user.get_username(),
        "up_url": reverse("manage:staff"),
        "up_title": _("员工"),
        "person": user,
        "roles": roles_text(user),
        "state": _state(user),
        "is_me": user.pk == _actor(request),
        "form": form,
        "has_factor": has_second_factor(request),
    }
    return shop_site.render(request, "staff/person.html", context, status=422 if form.errors else 200)


def _form(request: HttpRequest, user: User) -> PersonChangeForm:
    initial = {
        "first_name": user.first_name,
        "roles": [OWNER] if user.is_superuser else user.roles,
        "is_active": user.is_active,
    }
    sent = request.POST if request.method == "POST" else None
    return PersonChangeForm(sent, request=request, initial=initial, concerns_owner=user.is_superuser)


def _changed(request: HttpRequest, form: PersonChangeForm, user: User) -> User:
    before = (roles_text(user), user.is_active)
    is_active = form.cleaned_data["is_active"]
    changed = person_change(user_id=user.pk, by=_actor(request), is_active=is_active, **form.wanted)
    said = []
    if roles_text(changed) != before[0]:
        said.append(_("身份：%(before)s → %(after)s") % {"before": before[0], "after": roles_text(changed)})
    if changed.is_active != before[1]:
        said.append(_("重新启用") if changed.is_active else _("停用"))
    if "first_name" in form.changed_data:
        said.append(_("称呼：%(name)s") % {"name": changed.first_name})
    if said:
        write_down(request, changed, CHANGE, "；".join(said))
    return changed


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, invitation: str) -> HttpResponse:
    """Somebody comes in for the first time, or again after their password was taken off them."""
    try:
        require("staff-join", client_address(request), limit=TRIES, seconds=TRY_SECONDS)
        user = invited(invitation)
    except Problem as refused:
        return _no_way_in(request, refused)
    form = JoinForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            user = person_join(invitation=invitation, password=form.cleaned_data["password"])
        except InvitationRefused as refused:
            return _no_way_in(request, refused)
        except Problem as refused:
            add_problem(form, refused)
        else:
            logout(request)
            login(request, user, backend=_BACKEND)
            write_down(request, user, CHANGE, _("用邀请链接设了密码"))
            return redirect("manage:index")
    context = {"title": _("加入 %(shop)s") % {"shop": shop_site.title_for(request)}, "form": form, "person": user}
    return shop_site.render(request, "staff/join.html", context, status=422 if form.errors else 200)


def _no_way_in(request: HttpRequest, refused: Problem) -> HttpResponse:
    context = {"title": _("进不去"), "text": str(refused)}
    return shop_site.render(request, "staff/visit_told.html", context, status=refused.status)
