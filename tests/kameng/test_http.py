"""The client that moves money: nothing sent, no answer, or a complete reply, and never much memory."""

import gzip
import tracemalloc
import zlib
from collections.abc import Iterator

import pytest

from kameng.core.http import MAX_BODY_BYTES, HttpClient, NoAnswer, NothingSent
from tests.fulfillment.suppliers.wire import Answer, Reset, Server, Silence


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def http() -> Iterator[HttpClient]:
    client = HttpClient(connect=1, read=0.25, total=1)
    yield client
    client.close()


def packed(body: bytes, encoding: str) -> Answer:
    return Answer(200, body, (("Content-Encoding", encoding),))


def test_a_reply_is_the_bytes_that_came(server: Server, http: HttpClient) -> None:
    server.answers.append(Answer(418, "茶壶\r\n".encode("gbk")))
    reply = http.request("POST", server.url, headers={"X-Ours": "1"}, body=b"exactly this")
    assert (reply.status, reply.body) == (418, "茶壶\r\n".encode("gbk"))
    (asked,) = server.asked
    assert (asked.method, asked.body, asked.headers["x-ours"]) == ("POST", b"exactly this", "1")
    assert asked.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("broken", [Reset(), Silence(), Answer(200, b"x" * 100, cut=1)])
def test_after_sending_a_broken_end_is_no_answer(
    server: Server, http: HttpClient, broken: Reset | Silence | Answer
) -> None:
    server.answers.append(broken)
    with pytest.raises(NoAnswer):
        http.request("POST", server.url)
    assert len(server.asked) == 1


def test_a_redirect_is_not_followed(server: Server, http: HttpClient) -> None:
    server.answers.append(Answer(302, b"", (("Location", f"{server.url}/elsewhere"),)))
    assert http.request("GET", server.url).status == 302
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/", "http://no-such-host.invalid/", "ftp://127.0.0.1/", "http://[::1", "nonsense", ""]
)
def test_what_cannot_be_reached_was_not_sent(http: HttpClient, url: str) -> None:
    with pytest.raises(NothingSent):
        http.request("POST", url)


def test_a_reply_over_a_megabyte_is_no_answer(server: Server, http: HttpClient) -> None:
    server.answers.extend([Answer(200, b"x" * MAX_BODY_BYTES), Answer(200, b"x" * (MAX_BODY_BYTES + 1))])
    assert len(http.request("GET", server.url).body) == MAX_BODY_BYTES
    with pytest.raises(NoAnswer, match="larger"):
        http.request("GET", server.url)


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress)]
)
def test_a_packed_reply_that_nobody_asked_for_is_unpacked(
    server: Server, http: HttpClient, encoding: str, pack
) -> None:
    server.answers.append(packed(pack(b'{"ok":true}'), encoding))
    assert http.request("GET", server.url).body == b'{"ok":true}'


@pytest.mark.parametrize("body", [b"", b"{}", gzip.compress(b"x" * 1000)[:-4], b"\x1f\x8b\x08\x00"])
def test_a_packed_reply_that_does_not_open_is_no_answer(server: Server, http: HttpClient, body: bytes) -> None:
    server.answers.append(packed(body, "gzip"))
    with pytest.raises(NoAnswer):
        http.request("GET", server.url)


def test_an_unknown_encoding_is_no_answer(server: Server, http: HttpClient) -> None:
    server.answers.append(packed(b'{"ok":true}', "br"))
    with pytest.raises(NoAnswer):
        http.request("GET", server.url)


def test_a_small_reply_that_swells_costs_no_memory(server: Server, http: HttpClient) -> None:
    bomb = gzip.compress(bytes(200_000_000), compresslevel=9)
    assert len(bomb) < MAX_BODY_BYTES
    server.answers.append(packed(bomb, "gzip"))
    tracemalloc.start()
    with pytest.raises(NoAnswer, match="larger"):
        http.request("GET", server.url)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000
