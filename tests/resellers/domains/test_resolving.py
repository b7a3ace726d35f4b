"""The wire, and asking: what is definite, what is unknown, and what bytes of strangers do."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kameng.sandbox.dns import Name, NameServer, Trouble
from resellers.domains import judging, resolving
from resellers.domains.judging import Target
from resellers.domains.models import Problem
from resellers.domains.resolving import Found, Resolver, Type, Unclear, address_of
from tests.resellers.domains.conftest import Zone

US = Target("shops.kameng.example", frozenset({"192.0.2.1", "2001:db8::1"}))


def ask(zone: Zone, name: str, wanted: Type) -> Found:
    return Resolver([address_of(zone.address)]).look_up(name, wanted)


def test_records_are_read_as_the_other_side_writes_them(zone: Zone) -> None:
    zone.set("_kameng.shop.example", TXT=["first", "x" * 400])
    zone.set("six.example", AAAA=["2001:db8::1"])
    zone.set("www.shop.example", CNAME=["shop.example"])
    zone.set("shop.example", CNAME=["shops.kameng.example"])
    assert ask(zone, "_kameng.shop.example", Type.TXT).records == ("first", "x" * 400)
    assert ask(zone, "six.example", Type.AAAA).records == ("2001:db8::1",)
    found = ask(zone, "www.shop.example", Type.A)
    assert found == Found(("127.0.0.1",), ("shop.example", "shops.kameng.example"))


def test_nothing_there_is_definite_and_no_answer_is_not(zone: Zone) -> None:
    zone.set("shop.example", A=["127.0.0.1"])
    assert ask(zone, "shop.example", Type.TXT) == Found()
    assert ask(zone, "nobody.example", Type.TXT) == Found()
    for trouble, reason in {
        Trouble.SERVFAIL: Unclear.SERVER_FAILURE, Trouble.REFUSED: Unclear.SERVER_FAILURE,
        Trouble.TIMEOUT: Unclear.TIMEOUT, Trouble.GARBAGE: Unclear.TIMEOUT,
    }.items():  # fmt: skip
        zone.set("bad.example", trouble)
        assert ask(zone, "bad.example", Type.TXT) == Found(unclear=reason)


def test_the_next_resolver_is_asked_where_one_does_not_know(zone: Zone) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        shut = nobody.getsockname()
    zone.set("shop.example", A=["192.0.2.7"])
    both = Resolver([shut, address_of(zone.address)])
    assert both.look_up("shop.example", Type.A).records == ("192.0.2.7",)
    assert Resolver([shut]).look_up("shop.example", Type.A) == Found(unclear=Unclear.TIMEOUT)
    assert Resolver([]).look_up("shop.example", Type.A) == Found(unclear=Unclear.TIMEOUT)


@pytest.fixture
def both_ways() -> Iterator[tuple[str, int]]:
    """Answers questions too briefly over UDP, and after a forged datagram; in full over TCP."""
    server = NameServer()
    server.names["long.example"] = Name({"TXT": [f"{number}" * 200 for number in range(4)]})
    whole = NameServer()
    whole.names = server.names
    tcp = socket.create_server(("127.0.0.1", 0))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(tcp.getsockname())

    def serve() -> None:
        query, peer = udp.recvfrom(512)
        udp.sendto(struct.pack(">H", (query[0] << 8 | query[1]) ^ 1) + b"\x81\x80" + query[4:], peer)
        udp.sendto(server.answer(query) or b"", peer)
        line, _ = tcp.accept()
        with line:
            asked = line.recv(512)
            reply = _in_full(asked[2:], server)
            line.sendall(struct.pack(">H", len(reply)) + reply[:10])
            line.sendall(reply[10:])

    thread = threading.Thread(target=serve)
    thread.start()
    yield tcp.getsockname()
    thread.join(5)
    tcp.close()
    udp.close()


def _in_full(query: bytes, server: NameServer) -> bytes:
    found = server._answers("long.example", 16)
    return query[:2] + struct.pack(">HHHHH", 0x8180, 1, len(found), 0, 0) + query[12:] + b"".join(found)


def test_what_does_not_fit_is_asked_for_over_tcp_and_forged_answers_are_passed_over(both_ways: tuple[str, int]) -> None:
    found = Resolver([both_ways]).look_up("long.example", Type.TXT)
    assert found.records == tuple(f"{number}" * 200 for number in range(4))


def test_a_question_takes_a_bounded_time_however_many_are_asked(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "TOTAL_SECONDS", 0.15)
    zone.set("slow.example", Trouble.TIMEOUT)
    began = time.monotonic()
    assert Resolver([address_of(zone.address)] * 20).look_up("slow.example", Type.A).unclear
    assert time.monotonic() - began < 1


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=120))
def test_bytes_of_strangers_are_passed_over(data: bytes) -> None:
    """Whatever comes first under the question's own number, its answer counts, or nobody knows."""
    server = NameServer()
    server.names["shop.example"] = Name({"A": ["192.0.2.7"]})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line, ThreadPoolExecutor(1) as pool:
        line.bind(("127.0.0.1", 0))
        line.settimeout(5)

        def serve() -> None:
            query, peer = line.recvfrom(512)
            for start in (b"", b"\x81\x80\0\1\0\1\0\0\0\0"):
                line.sendto(query[:2] + start + data, peer)
            line.sendto(server.answer(query) or b"", peer)

        pool.submit(serve)
        found = Resolver([line.getsockname()]).look_up("shop.example", Type.A)
    # A number and a refusal without a question is an answer too: then nobody knows, and nothing is believed.
    assert found == Found(("192.0.2.7",)) or (found.unclear and found == Found(unclear=found.unclear))


def looped(query: bytes) -> bytes:
    """Two names that are each other's alias."""
    there, here = b"\1b\7example\0", b"\1a\7example\0"

    def alias(name: bytes, target: bytes) -> bytes:
        return name + struct.pack(">HHIH", 5, 1, 30, len(target)) + target

    return query[:2] + struct.pack(">HHHHH", 0x8180, 1, 2, 0, 0) + query[12:] + alias(here, there) + alias(there, here)


@pytest.mark.parametrize(
    "answer",
    [looped, lambda query: query[:2] + b"\x81\x80\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1"],
    ids=["aliases", "pointer"],
)
def test_names_that_lead_to_themselves_end(answer: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "ATTEMPT_SECONDS", 0.05)
    monkeypatch.setattr(resolving, "TOTAL_SECONDS", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line, ThreadPoolExecutor(1) as pool:
        line.bind(("127.0.0.1", 0))
        line.settimeout(5)

        def serve() -> None:
            query, peer = line.recvfrom(512)
            line.sendto(answer(query), peer)

        pool.submit(serve)
        found = Resolver([line.getsockname()]).look_up("a.example", Type.A)
    assert (found.records, found.unclear is not None) == ((), True)


def test_what_is_no_name_has_no_records(zone: Zone) -> None:
    assert ask(zone, "_kameng." + "a" * 64 + ".example", Type.TXT) == Found()
    assert ask(zone, ".".join(["a" * 60] * 5), Type.TXT) == Found()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", ("192.0.2.1", 53)), (" 192.0.2.1:5353 ", ("192.0.2.1", 5353)),
        ("2001:db8::1", ("2001:db8::1", 53)), ("[2001:db8::1]:5353", ("2001:db8::1", 5353)),
    ],
)  # fmt: skip
def test_resolvers_are_written_as_addresses(text: str, address: tuple[str, int]) -> None:
    assert address_of(text) == address


@pytest.mark.parametrize(
    ("four", "six", "problem"),
    [
        (Found(("192.0.2.1",)), Found(), Problem.NONE),
        (Found(("192.0.2.1",)), Found(("2001:db8:0::1",)), Problem.NONE),
        (Found(("203.0.113.9",), ("cdn.example", "shops.kameng.example")), Found(), Problem.NONE),
        (Found(), Found(("2001:db8::1",)), Problem.NONE),
        (Found(("192.0.2.1",)), Found(unclear=Unclear.SERVER_FAILURE), Problem.NONE),
        (Found(), Found(), Problem.NOT_POINTING),
        (Found(("203.0.113.9",)), Found(), Problem.NOT_POINTING),
        # Some of the shoppers would be led elsewhere.
        (Found(("192.0.2.1", "203.0.113.9")), Found(), Problem.NOT_POINTING),
        (Found(("192.0.2.1",)), Found(("2001:db8::2",)), Problem.NOT_POINTING),
        (Found(("203.0.113.9",), ("shops.kameng.example.evil.example",)), Found(), Problem.NOT_POINTING),
        (Found(unclear=Unclear.TIMEOUT), Found(), Problem.TIMEOUT),
        (Found(), Found(unclear=Unclear.SERVER_FAILURE), Problem.SERVER_FAILURE),
    ],
)
def test_a_name_leads_to_us_or_not_or_nobody_knows(four: Found, six: Found, problem: Problem) -> None:
    assert judging.pointing(four, six, US).problem == problem


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (Found(("v=spf1", " proof ")), Problem.NONE), (Found(), Problem.NO_RECORD),
        (Found(("proof2", "PROOF")), Problem.OTHER_VALUE), (Found(unclear=Unclear.TIMEOUT), Problem.TIMEOUT),
    ],
)  # fmt: skip
def test_a_proof_is_the_value_and_nothing_like_it(found: Found, problem: Problem) -> None:
    assert judging.proof(found, "proof").problem == problem
