"""Messages cost nothing where nobody leaves or reads one, and are kept as ever where somebody does."""

from django.contrib import messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.sessions.backends.signed_cookies import SessionStore
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from kameng.core.middleware import LazyMessageMiddleware


def asked(view, cookies: dict[str, str] | None = None) -> HttpResponse:
    """What a view answers through the middleware alone."""
    request = RequestFactory().get("/")
    request.session = SessionStore()
    request.COOKIES.update(cookies or {})
    answer = LazyMessageMiddleware(view)(request)
    assert isinstance(answer, HttpResponse)
    return answer


def test_a_message_left_by_one_request_is_read_by_the_next_and_then_gone() -> None:
    def leave(request: HttpRequest) -> HttpResponse:
        messages.success(request, "已保存")
        return HttpResponse()

    def read(request: HttpRequest) -> HttpResponse:
        return HttpResponse("|".join(str(message) for message in messages.get_messages(request)))

    cookies = {name: morsel.value for name, morsel in asked(leave).cookies.items()}
    assert list(cookies) == ["messages"]
    answer = asked(read, cookies)
    assert answer.content.decode() == "已保存"
    assert answer.cookies["messages"].value == ""


def test_a_message_that_nobody_reads_waits_and_nothing_is_looked_up(monkeypatch) -> None:
    def leave(request: HttpRequest) -> HttpResponse:
        messages.success(request, "已保存")
        return HttpResponse()

    cookies = {name: morsel.value for name, morsel in asked(leave).cookies.items()}
    made: list[object] = []
    original = FallbackStorage.__init__

    def counted(self, *args, **kwargs) -> None:
        made.append(self)
        original(self, *args, **kwargs)

    monkeypatch.setattr(FallbackStorage, "__init__", counted)
    answer = asked(lambda request: HttpResponse(), cookies)
    assert "messages" not in answer.cookies
    assert made == []
