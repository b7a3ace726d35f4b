"""The client that moves money: nothing sent, no answer, or a complete reply, and never much memory."""

import gc
import gzip
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from kameng.core import deadlines
from kameng.core.deadlines import awake
from kameng.core.http import MAX_BODY_BYTES, HeldUp, HttpClient, NoAnswer, NothingSent
from tests.fulfillment.suppliers.wire import Answer, Drip, Reset, Server, Silence


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


def test_whoever_shows_a_certificate_that_nobody_we_trust_has_signed_is_told_nothing(
    http: HttpClient, tmp_path: Path
) -> None:
    """And nothing that is set can change that: the client has no word for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(hours=1))
    own = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    file = tmp_path / "own.pem"
    file.write_bytes(
        own.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    heard: list[bytes] = []

    def answer(listener: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(listener.accept()[0], server_side=True) as connection:
            heard.append(connection.recv(100))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = Thread(target=answer, args=[listener])
        thread.start()
        with pytest.raises(NothingSent):
            http.request("POST", f"https://localhost:{listener.getsockname()[1]}/", body=b"our secret")
        thread.join()
    assert heard == []


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


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", gzip.compress(b"x" * 1000)[:-4], b"\x1f\x8b\x08\x00"],
    ids=["nothing", "plain", "cut", "begun"],
)
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


# --- deadlines ------------------------------------------------------------------------------------------------------

LONG = Answer(200, b"x" * 200, (("X-Long", "y" * 200),))


@pytest.mark.parametrize("dripping", [0, len(LONG.raw()) - 150], ids=["headers", "body"])
def test_a_reply_that_drips_ends_with_the_time_for_the_whole(server: Server, http: HttpClient, dripping: int) -> None:
    """Each byte comes well within the silence that is allowed."""
    server.answers.append(Drip(LONG.raw(), pause=0.05, after=dripping))
    begun = time.monotonic()
    with pytest.raises(NoAnswer):
        http.request("POST", server.url, body=b"once")
    assert 0.9 < time.monotonic() - begun < 1.6
    assert len(server.asked) == 1


def test_a_reply_that_drips_fast_enough_is_whole(server: Server) -> None:
    server.answers.append(Drip(Answer(200, b"ok").raw(), pause=0.002))
    patient = HttpClient(connect=5, read=5, total=20)  # whatever else the machine does between two drops
    assert patient.request("GET", server.url).body == b"ok"
    patient.close()


def test_addresses_that_do_not_answer_share_the_time_to_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    port = full.getsockname()[1]
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))] * 20
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *more, **named: found if host == "dead.test" else resolve(host, *more, **named),
    )
    begun = time.monotonic()
    with pytest.raises(NothingSent):
        HttpClient(connect=0.5, read=0.25, total=5).request("POST", f"http://dead.test:{port}/")
    assert time.monotonic() - begun < 1.5
    for one in [*waiting, full]:
        one.close()


# --- held up --------------------------------------------------------------------------------------------------------


def test_what_must_not_be_sent_any_more_is_not(server: Server, http: HttpClient) -> None:
    server.answers.append(Answer(200, b"ok"))
    with pytest.raises(HeldUp):
        http.request("POST", server.url, body=b"buy", send_by=awake() - 0.1)
    assert http.request("POST", server.url, body=b"buy", send_by=awake() + 5).body == b"ok"
    assert len(server.asked) == 1


def test_a_client_that_stops_between_connecting_and_sending_sends_nothing(
    server: Server, http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = deadlines.DeadlineBackend.connect_tcp

    def slowly(*given: object, **named: object) -> object:
        stream = connect(*given, **named)  # type: ignore[arg-type]
        monkeypatch.setattr(deadlines, "awake", lambda: awake() + 60)
        return stream

    monkeypatch.setattr(deadlines.DeadlineBackend, "connect_tcp", slowly)
    with pytest.raises((HeldUp, NoAnswer)):
        http.request("POST", server.url, body=b"buy", send_by=awake() + 8)
    assert server.asked == []


STOPPED = """
import sys
from kameng.core import deadlines
from kameng.core.http import HeldUp, HttpClient
connect = deadlines.DeadlineBackend.connect_tcp
def told(*given, **named):
    stream = connect(*given, **named)
    print("connected", flush=True)
    sys.stdin.readline()
    return stream
deadlines.DeadlineBackend.connect_tcp = told
try:
    HttpClient(total=30).request("POST", sys.argv[1], body=b"buy", send_by=deadlines.awake() + 1)
except HeldUp:
    print("held up", flush=True)
"""


def test_a_process_that_is_stopped_while_it_connects_sends_nothing_when_it_goes_on(server: Server) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", STOPPED, server.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert worker.stdin is not None
    assert worker.stdout is not None
    assert worker.stdout.readline() == "connected\n"
    os.kill(worker.pid, signal.SIGSTOP)
    time.sleep(1.2)
    os.kill(worker.pid, signal.SIGCONT)
    assert worker.communicate("go on\n", timeout=20)[0] == "held up\n"
    assert server.asked == []


# --- closing --------------------------------------------------------------------------------------------------------


def test_connections_are_closed_with_the_last_reference_to_the_client(server: Server) -> None:
    """As those of a supplier whose settings were changed: some thread may still be using the client before."""
    server.answers.append(Answer(200, b"ok", keep=True))
    http = HttpClient()
    used = http
    gc.disable()
    try:
        http.request("GET", server.url)
        http = HttpClient()
        assert not server.is_left(within=0.2)
        del used
        assert server.is_left(within=2)
    finally:
        gc.enable()
