"""Pages that are the same for everybody, kept as bytes and served before Django looks at the request.

A page is kept with the numbers of the shelf it was drawn from (`Shelf.key`) and served only while those numbers are
current, which is asked at most once a second for each shop. Whoever changes a price therefore sees it on the next
page, a second later at most; nothing is purged and nothing expires by the clock.
"""

import gzip
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, wraps
from threading import Lock
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.utils import translation

from catalog.listings.shelf import key_now
from kameng.core.database.warming import warming
from resellers.context import face_until
from resellers.hosts import shop_of
from resellers.models import Reseller
from resellers.plans.standing import Standing, standing_of

#: What all pages together may take in a process. They are kept packed: a front page of 50 KB takes a sixth of that.
KEPT_BYTES = 32 * 1024**2
#: Longer addresses are somebody's experiment and not worth a place.
LONGEST_ADDRESS = 200

Key = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class KeptPage:
    """A finished answer, packed by gzip, and its headers."""

    shelf_key: tuple[int, int, int]
    etag: str
    packed: bytes
    headers: tuple[tuple[str, str], ...]
    #: Seconds since the epoch: from then on the page would say something else (`face_until`).
    until: float


class _Pages:
    """Pages by what was asked for, the longest unused forgotten first once they take too much."""

    def __init__(self) -> None:
        self._known: OrderedDict[Key, KeptPage] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: Key) -> KeptPage | None:
        """The page that was drawn last."""
        return self._known.get(key)

    def keep(self, key: Key, page: KeptPage) -> None:
        """In the place of the one before."""
        with self._lock:
            self._drop(self._known.pop(key, None))
            self._known[key] = page
            self._bytes += len(page.packed)
            while self._bytes > KEPT_BYTES:
                self._drop(self._known.popitem(last=False)[1])

    def forget(self) -> None:
        """Drop every page."""
        with self._lock:
            self._known.clear()
            self._bytes = 0

    def _drop(self, page: KeptPage | None) -> None:
        self._bytes -= len(page.packed) if page is not None else 0

    def __len__(self) -> int:
        return len(self._known)


_pages = _Pages()


def kept(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Mark a view whose page depends on nothing but the shop's shelf, the address and the language."""

    @wraps(view)
    def marked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        shop: Reseller = request.shop  # type: ignore[attr-defined]
        drawn_from = key_now(shop)
        response = view(request, *args, **kwargs)
        if response.status_code == 200 and len(request.get_full_path()) <= LONGEST_ADDRESS:
            language = translation.get_language() or settings.LANGUAGE_CODE
            key = (shop.pk, request.get_full_path(), language)
            response.kept_as = key, drawn_from, face_until(shop)  # type: ignore[attr-defined]
        return response

    return marked


class KeepPagesMiddleware:
    """The outermost middleware: keeps what marked views answered, with every header that was added on the way out."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """A page that sets a cookie was meant for one reader and is not kept."""
        response = self.get_response(request)
        marked = getattr(response, "kept_as", None)
        if marked is not None and not response.cookies:
            key, drawn_from, until = marked
            page = _finished(response, drawn_from, until)
            response["ETag"] = page.etag
            response["Cache-Control"] = "private, no-cache"
            _pages.keep(key, page)
        return response


def _finished(response: HttpResponse, shelf_key: tuple[int, int, int], until: float) -> KeptPage:
    body = response.content
    etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
    own = {"content-length", "etag", "cache-control", "vary"}
    headers = [(name, value) for name, value in response.items() if name.lower() not in own]
    headers += [
        ("ETag", etag),
        ("Cache-Control", "private, no-cache"),
        ("Vary", "Accept-Language, Cookie, Accept-Encoding"),
    ]
    return KeptPage(shelf_key, etag, gzip.compress(body, 9, mtime=0), tuple(headers), until)


Environ = dict[str, Any]
StartResponse = Callable[..., Any]


def serve_kept(application: Callable[[Environ, StartResponse], Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
    """Wrap a WSGI application (PEP 3333): a page that is kept and current is answered here."""

    def serve(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            page = _current(environ)
            if page is not None:
                connection.close_if_unusable_or_obsolete()
                return _answer(page, environ, start_response)
        return application(environ, start_response)

    return serve


def _current(environ: Environ) -> KeptPage | None:
    try:
        shop = shop_of(environ.get("HTTP_HOST", ""))
        if shop is None:
            return None
        query = environ.get("QUERY_STRING")
        path = environ.get("RAW_URI") or environ.get("PATH_INFO", "") + (f"?{query}" if query else "")
        page = _pages.get((shop.pk, path, _language(environ)))
        if page is None or time.time() >= page.until:
            return None
        warming.want(shop)
        # A shop's time ends without anybody changing anything.
        return page if page.shelf_key == key_now(shop) and standing_of(shop) is Standing.OPEN else None
    except DatabaseError:
        connection.close()
        return None


def _language(environ: Environ) -> str:
    cookie = environ.get("HTTP_COOKIE", "")
    chosen = ""
    if settings.LANGUAGE_COOKIE_NAME in cookie:
        for part in cookie.split(";"):
            name, _, value = part.strip().partition("=")
            if name == settings.LANGUAGE_COOKIE_NAME:
                chosen = value
    return _resolved(chosen[:16], environ.get("HTTP_ACCEPT_LANGUAGE", "")[:100])


@lru_cache(maxsize=4096)
def _resolved(chosen: str, accepted: str) -> str:
    """The language that Django would choose."""
    asking = SimpleNamespace(COOKIES={settings.LANGUAGE_COOKIE_NAME: chosen}, META={"HTTP_ACCEPT_LANGUAGE": accepted})
    return translation.get_language_from_request(asking)  # type: ignore[arg-type]


def _answer(page: KeptPage, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    if environ.get("HTTP_IF_NONE_MATCH") == page.etag:
        start_response("304 Not Modified", list(page.headers))
        return []
    packed = "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "")
    body = page.packed if packed else gzip.decompress(page.packed)
    headers = [*page.headers, ("Content-Length", str(len(body)))]
    if packed:
        headers.append(("Content-Encoding", "gzip"))
    start_response("200 OK", headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def forget() -> None:
    """Drop every page: for tests."""
    _pages.forget()
