"""Reading the shop: pages that everybody reads, and the few that are asked anew each time."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle
from urllib.parse import quote

from bench import load, machine, orders
from bench.figures import Report, Table, at_least, at_most, milliseconds
from bench.load import Ask, Broken, Reply, User
from bench.stage import HOST, Stage

CONNECTIONS = 16
#: What is computed for each reader is measured as it is met: by a few at a time, not in a queue of sixteen.
FEW_CONNECTIONS = 4
SECONDS = 4.0
WARM_UP_SECONDS = 0.7
SEARCHES = ("王者荣耀", "wzry", "视频会员", "话费", "steam", "原神", "音乐", "流量", "礼品卡", "qq")
READER = (("Accept-Language", "zh-CN,zh;q=0.9"), ("Accept-Encoding", "gzip, deflate"))


@dataclass(frozen=True)
class Measured:
    """What reading one thing costs: seconds of each request, and the processors' seconds of all servers."""

    name: str
    took: Sequence[float]
    seconds: float
    cpu: float
    own_cpu: float

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.took) / self.seconds

    @property
    def cpu_ms(self) -> float:
        """CPU ms of all servers for one request."""
        return self.cpu * 1000 / max(1, len(self.took))

    def row(self, limit: "Measured | None") -> tuple[str | float, ...]:
        """A line of the table; the ratio is to the limit measured in the same run."""
        return (
            self.name, self.rate, *(milliseconds(self.took, share) for share in (0.5, 0.95, 0.99)), self.cpu_ms,
            self.rate / limit.rate if limit else "", limit.cpu_ms / self.cpu_ms if limit else "",
            self.own_cpu * 1000 / max(1, len(self.took)),
        )  # fmt: skip


COLUMNS = ("page", "req/s", "p50 ms", "p95 ms", "p99 ms", "CPU ms", "× bare req/s", "× bare CPU", "generator ms")


def run(stage: Stage) -> Report:
    """Every page in turn, the bare view before and after them."""
    report = Report("pages")
    product, category = _places(stage)
    bare = f"{HOST}:{stage.bare_port}"
    listing = _measure(stage, "bare Django, 20 rows", [_get("/", host=bare)], bare=True)
    row = _measure(stage, "bare Django, one row", [_get("/row/", host=bare)], bare=True)
    measured = []
    for name, path in (("home", "/"), ("category", f"/c/{category}/"), ("product", f"/p/{product}/")):
        raw = _get(path, host=f"{HOST}:{stage.port}")
        measured.append(_measure(stage, name, [raw]))
        report.judge(f"{name}, rate at {CONNECTIONS} connections", measured[-1].rate, "req/s", at_least(2000, 4000))
        report.judge(f"{name}, p95", milliseconds(measured[-1].took, 0.95), "ms", at_most(15))
        report.judge(f"{name}, CPU", measured[-1].cpu_ms, "ms", at_most(0.8))
    raw = _get(f"/p/{product}/", host=f"{HOST}:{stage.port}")
    etag = _header(_first(stage, raw), b"etag")
    known = _get(f"/p/{product}/", host=f"{HOST}:{stage.port}", more=(("If-None-Match", etag),))
    measured.append(_measure(stage, "product, known (304)", [known], status=304))
    report.judge("product known, CPU against the page's", measured[-1].cpu_ms / measured[-2].cpu_ms, "×", at_most(1))
    again = _measure(stage, "bare Django, 20 rows, again", [_get("/", host=bare)], bare=True)
    report.tables.append(
        Table(
            f"pages at {CONNECTIONS} connections, {SECONDS:g} s each",
            COLUMNS,
            [listing.row(None), row.row(None), *(one.row(listing) for one in measured), again.row(listing)],
        )
    )
    few = _computed(stage, product)
    for one in few:
        report.judge(f"{one.name}, p95", milliseconds(one.took, 0.95), "ms", at_most(30))
        report.judge(f"{one.name}, CPU", one.cpu_ms, "ms", at_most(6))
    report.tables.append(
        Table(
            f"computed for each reader, at {FEW_CONNECTIONS} connections",
            COLUMNS,
            [one.row(listing) for one in few],
        )
    )
    report.judge("memory of the largest web process", max(machine.memory_mib(stage.process("web").pid or 0)), "MiB",
                 at_most(90))  # fmt: skip
    return report


def _computed(stage: Stage, product: str) -> list[Measured]:
    host = f"{HOST}:{stage.port}"
    numbers = count()
    #: An address that nobody asked for before: what is kept as a page does not help.
    searches = (_get(f"/search/?q={quote(words)}&n={next(numbers)}", host=host) for words in cycle(SEARCHES))
    order = orders.place_one(stage)
    status = load.request(
        "GET", f"/api/v1/orders/{order.number}/", host=host, headers=(("Authorization", f"Order {order.token}"),)
    )
    quoted = _get(f"/api/v1/products/{product}/", host=host)
    return [
        _measure(stage, "search", searches, connections=FEW_CONNECTIONS),
        _measure(stage, "quote (a product's prices)", [quoted], connections=FEW_CONNECTIONS),
        _measure(stage, "order status", [status], connections=FEW_CONNECTIONS),
    ]


def _measure(
    stage: Stage,
    name: str,
    requests: "Sequence[bytes] | Iterator[bytes]",
    *,
    bare: bool = False,
    status: int = 200,
    connections: int = CONNECTIONS,
) -> Measured:
    port = stage.bare_port if bare else stage.port
    source = cycle(requests) if isinstance(requests, Sequence) else requests
    _read(port, source, status, WARM_UP_SECONDS, connections)
    counted, own = stage.counted(bare=bare), time.process_time()
    before, begun = machine.cpu_seconds(counted), time.perf_counter()
    took = _read(port, source, status, SECONDS, connections)
    seconds, cpu = time.perf_counter() - begun, machine.cpu_seconds(counted) - before
    return Measured(name, took, seconds, cpu, time.process_time() - own)


def _read(port: int, source: Iterator[bytes], status: int, seconds: float, connections: int) -> list[float]:
    took: list[float] = []
    until = time.perf_counter() + seconds

    def reader(now: Callable[[], float] = time.perf_counter) -> User:
        while now() < until:
            reply = yield Ask(0, next(source))
            assert reply is not None
            if reply.status != status:
                raise Broken(f"{reply.status} instead of {status}: {reply.body[:200]!r}")
            took.append(reply.took)

    load.run([port], [reader() for _ in range(connections)])
    return took


def _get(path: str, *, host: str, more: tuple[tuple[str, str], ...] = ()) -> bytes:
    return load.request("GET", path, host=host, headers=(*READER, *more))


def _first(stage: Stage, raw: bytes) -> Reply:
    found: list[Reply] = []

    def reader() -> User:
        reply = yield Ask(0, raw)
        assert reply is not None
        found.append(reply)

    load.run([stage.port], [reader()])
    return found[0]


def _header(reply: Reply, name: bytes) -> str:
    for line in reply.head.split(b"\r\n"):
        if line.lower().startswith(name + b":"):
            return line.partition(b":")[2].strip().decode()
    raise Broken(f"no {name.decode()} in the reply")


def _places(stage: Stage) -> tuple[str, str]:
    """A product and its category."""
    first = stage.ask_shop("GET", "/api/v1/products/").json()["results"][0]
    return str(first["slug"]), str(first["category"])
