"""What a figure was measured on, and how much of a processor and of memory processes have used: Linux's /proc."""

import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


@dataclass(frozen=True)
class Stat:
    """One line of /proc/<pid>/stat (proc(5)): `cpu` in seconds, with that of children that ended."""

    pid: int
    parent: int
    cpu: float


def parse_stat(text: str) -> Stat:
    """Read a stat line. The name in brackets may hold anything, so what follows the last bracket counts."""
    pid, _, rest = text.partition(" (")
    fields = rest.rpartition(")")[2].split()
    return Stat(int(pid), int(fields[1]), sum(int(ticks) for ticks in fields[11:15]) / TICKS)


def stats() -> Iterator[Stat]:
    """Every process that can be seen."""
    for path in PROC.glob("[0-9]*/stat"):
        try:
            yield parse_stat(path.read_text(encoding="utf-8", errors="replace"))
        except (FileNotFoundError, ProcessLookupError):
            continue


def family(known: Mapping[int, Stat], roots: Iterable[int]) -> set[int]:
    """The processes `roots` and all below them."""
    children: dict[int, list[int]] = {}
    for stat in known.values():
        children.setdefault(stat.parent, []).append(stat.pid)
    found: set[int] = set()
    waiting = [pid for pid in roots if pid in known]
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += children.get(pid, ())
    return found


def cpu_seconds(roots: Iterable[int]) -> float:
    """What processes, their children and their ended children have used so far."""
    known = {stat.pid: stat for stat in stats()}
    return sum(known[pid].cpu for pid in family(known, roots))


def memory_mib(root: int) -> list[float]:
    """Proportional memory (PSS: shared pages counted by share) of a process and of each one below it, in MiB."""
    known = {stat.pid: stat for stat in stats()}
    return [_pss(pid) / 1024 for pid in sorted(family(known, [root]))]


def _pss(pid: int) -> int:
    try:
        text = (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:")), 0)


def describe(root: Path) -> dict[str, str]:
    """What every figure must name: machine, commit, and what else was going on."""
    return {
        "machine": f"{os.cpu_count()} × {processor()}, {memory_total_gib():.0f} GiB, {platform.release()}",
        "python": platform.python_version(),
        "commit": commit(root),
        "load": " ".join(f"{value:.1f}" for value in os.getloadavg()),
    }


def processor() -> str:
    """The processor's name as the kernel knows it."""
    return read_processor((PROC / "cpuinfo").read_text(encoding="utf-8")) or platform.machine()


def read_processor(cpuinfo: str) -> str:
    """The first model name."""
    names = (line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name"))
    return next(names, "")


def memory_total_gib() -> float:
    """All of the machine's."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3


def commit(root: Path) -> str:
    """The commit that is checked out, and whether files differ from it."""
    git = ["git", "-C", str(root)]
    try:
        found = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        changed = subprocess.run(
            [*git, "status", "--porcelain", "--untracked-files=no"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return found.stdout.strip() + ("+changes" if changed.stdout.strip() else "")
