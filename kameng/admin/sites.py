"""Two sites over two kinds of schemas: what is registered with one does not exist on the other.

Who may enter is decided by the schema that the request is in. Accounts and sessions are rows of that schema, so an
account or a cookie of another one is unknown there; the site checks the schema itself all the same.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import update_wrapper
from typing import Any

from django.db import connection
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.gzip import gzip_page
from django_tenants.utils import get_public_schema_name
from unfold.sites import UnfoldAdminSite

from kameng.admin.forms import SignInForm
from kameng.admin.panels import Panel, PanelMaker, Viewer
from kameng.core import sql

Text = str | Promise
View = Callable[..., HttpResponse]
#: A page of our own may also be a file.
PageView = Callable[..., HttpResponseBase]
#: Asked before any page of a site: what it gets instead, or None.
Guard = Callable[[HttpRequest], HttpResponse | None]
#: Stands among the names of pages for what a shop earns and what its goods cost it, on pages about something else.
EARNINGS = "earnings"
#: Whether somebody may open the page of that name, or send what it sends.
May = Callable[[HttpRequest, str, bool], bool]


@dataclass(frozen=True)
class Nav:
    """An entry of the menu; `position` orders entries and, by their first one, the headings they stand under.

    `waiting` is what waits behind it, as SQL after FROM that names its schema: those of all entries are counted in one
    query.
    """

    group: Text
    title: Text
    icon: str
    position: int
    #: Also a tab at the bottom of a phone's screen.
    is_tab: bool = False
    waiting: str = ""


@dataclass(frozen=True)
class Page:
    """A page of our own beside those of the models."""

    path: str
    name: str
    view: PageView
    nav: Nav | None


def _counted(waiting: Sequence[str]) -> Mapping[str, int]:
    if not waiting:
        return {}
    (counts,) = sql.rows_anywhere("SELECT " + ", ".join(f"(SELECT count(*) FROM {rows})" for rows in waiting), [])
    return dict(zip(waiting, counts, strict=True))


@dataclass(frozen=True)
class Allowed:
    """What a template asks before it leads somewhere: `{% if may.withdrawals %}`, by the names of pages."""

    site: "StaffSite"
    request: HttpRequest
    sends: bool

    def __getitem__(self, name: str) -> bool:
        return self.site.may(self.request, name, sends=self.sends)


class StaffSite(UnfoldAdminSite):
    """What both sites share: a menu put together from what is registered, pages, and panels."""

    #: What the stylesheet tells the two apart by.
    look: str
    #: An icon of `static/fonts/staff-icons.woff2`.
    symbol: str
    login_form = SignInForm
    empty_value_display = "–"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.pages: list[Page] = []
        self._panels: list[tuple[int, type[Model], PanelMaker]] = []
        self._home: View | None = None
        self._guards: list[Guard] = []
        self._may: May | None = None

    def is_here(self) -> bool:
        """Whether the schema that the request is in belongs to this site."""
        raise NotImplementedError

    def has_permission(self, request: HttpRequest) -> bool:
        """Staff of the schema that the request is in, if that is one of this site's."""
        return self.is_here() and bool(super().has_permission(request))

    def admin_view(self, view: PageView, cacheable: bool = False) -> PageView:
        """Compressed, since the theme says a lot about every cell; form tokens are masked anew for each answer."""
        allowed: PageView = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            for guard in self._guards:
                if (instead := guard(request)) is not None:
                    return instead
            return allowed(request, *args, **kwargs)

        return gzip_page(update_wrapper(guarded, allowed))

    def guard(self, guard: Guard) -> Guard:
        """Register whom to ask before any page."""
        self._guards.append(guard)
        return guard

    def rights(self, may: May) -> May:
        """Register who says which pages somebody may open."""
        self._may = may
        return may

    def may(self, request: HttpRequest, name: str, *, sends: bool = False) -> bool:
        """Whether whoever asks may open the page of that name, or send its form; everybody where no rights are told."""
        return self._may is None or self._may(request, name, sends)

    def page(self, address: str, *, name: str, nav: Nav | None = None) -> Callable[[PageView], PageView]:
        """Register a view for this site's people only, at an address below the site's own."""

        def register(view: PageView) -> PageView:
            self.pages.append(Page(address, name, view, nav))
            return view

        return register

    def home(self, view: View) -> View:
        """Register the first page."""
        self._home = view
        return view

    def panel(self, model: type[Model], *, position: int) -> Callable[[PanelMaker], PanelMaker]:
        """Register a part of the page of a `model`; lower positions come first."""

        def register(maker: PanelMaker) -> PanelMaker:
            self._panels.append((position, model, maker))
            return maker

        return register

    def panels_of(self, thing: Model, viewer: Viewer) -> list[Panel]:
        """Everything that anybody has to tell about a thing."""
        makers = [
            maker
            for _position, model, maker in sorted(self._panels, key=lambda row: row[0])
            if isinstance(thing, model)
        ]
        return [made for maker in makers if (made := maker(thing, viewer)) is not None]

    def get_urls(self) -> list[URLPattern]:
        """Our pages before the models', so that an address of ours is never read as a model's."""
        ours = [path(page.path, self.admin_view(page.view), name=page.name) for page in self.pages]
        urls: list[URLPattern] = super().get_urls()
        return [*ours, *urls]

    def search(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The theme's search over model names is not offered; lists have their own."""
        raise Http404

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The first page."""
        if self._home is None:
            response: HttpResponse = super().index(request, extra_context)
            return response
        return self._home(request)

    def app_index(
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Apps are not how people think of their work: there is no page for one."""
        raise Http404

    def render(
        self, request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200
    ) -> HttpResponse:
        """A page of ours inside the site's frame, drawn at once."""
        request.current_app = self.name
        return render(request, template, {**self.each_context(request), **context}, status=status)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page knows."""
        context: dict[str, Any] = super().each_context(request)
        title = self.title_for(request)
        context.update(
            site_title=title,
            site_header=title,
            site_subheader=self.subtitle_for(request),
            site_url=self.site_url,
            site_look=self.look,
            site_symbol=self.symbol,
            show_history=False,
            show_languages=True,
            staff_tabs=self._tabs(request) if context["has_permission"] else [],
            may=Allowed(self, request, False),
            may_send=Allowed(self, request, True),
        )
        return context

    def title_for(self, request: HttpRequest) -> str:
        """Whose site it is."""
        raise NotImplementedError

    def subtitle_for(self, request: HttpRequest) -> str:
        """What site it is."""
        raise NotImplementedError

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """The theme asks for it on every page and draws our menu instead."""
        return []

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        """The menu in the form that the theme draws."""
        groups: dict[str, list[dict[str, Any]]] = {}
        entries = list(self._entries(request))
        counted = _counted([nav.waiting for nav, _url, _active in entries if nav.waiting])
        for nav, url, active in entries:
            entry = {"title": nav.title, "icon": nav.icon, "link": url, "active": active, "has_permission": True}
            if waiting := counted.get(nav.waiting):
                entry["badge"] = str(waiting)
            groups.setdefault(str(nav.group), []).append(entry)
        return [{"title": title, "items": items} for title, items in groups.items()]

    def _tabs(self, request: HttpRequest) -> list[dict[str, Any]]:
        return [
            {"title": nav.title, "icon": nav.icon, "url": url, "active": active}
            for nav, url, active in self._entries(request)
            if nav.is_tab
        ]

    def _entries(self, request: HttpRequest) -> Iterable[tuple[Nav, str, bool]]:
        """Menu entries in their order; the one with the longest address that the request's begins with is active."""
        listed = [(page.nav, page.name) for page in self.pages if page.nav is not None]
        listed += [
            (admin.nav, f"{model._meta.app_label}_{model._meta.model_name}_changelist")
            for model, admin in self._registry.items()
            if getattr(admin, "nav", None) is not None
        ]
        found = [(nav, reverse(f"{self.name}:{name}")) for nav, name in listed if self.may(request, name)]
        home = reverse(f"{self.name}:index")
        found.append((Nav("", _("首页"), "home", 0, is_tab=True), home))
        matching = [url for _nav, url in found if request.path == url or (url != home and request.path.startswith(url))]
        active = max(matching, key=len, default="")
        return [(nav, url, url == active) for nav, url in sorted(found, key=lambda entry: entry[0].position)]


class ShopAdminSite(StaffSite):
    """A shop's own people, on the shop's host, in the shop's schema."""

    look = "shop"
    symbol = "storefront"
    site_url = "/"

    def is_here(self) -> bool:
        """Any schema but the platform's."""
        return bool(connection.schema_name != get_public_schema_name())  # type: ignore[attr-defined]

    def title_for(self, request: HttpRequest) -> str:
        """The shop's name, in the reader's language."""
        shop = getattr(request, "shop", "")
        in_english = getattr(shop, "name_en", "") if (get_language() or "").startswith("en") else ""
        return str(in_english or shop)

    def subtitle_for(self, request: HttpRequest) -> str:
        """What site it is."""
        return str(_("店铺后台"))


class OperationsAdminSite(StaffSite):
    """The platform's operators, on the operations host, in public."""

    look = "operations"
    symbol = "hub"
    site_url = None

    def is_here(self) -> bool:
        """The platform's schema and no other."""
        return bool(connection.schema_name == get_public_schema_name())  # type: ignore[attr-defined]

    def title_for(self, request: HttpRequest) -> str:
        """The platform."""
        return str(_("卡盟运营台"))

    def subtitle_for(self, request: HttpRequest) -> str:
        """What site it is."""
        return str(_("平台运营"))


shop_site = ShopAdminSite(name="manage")
operations_site = OperationsAdminSite(name="operations")
