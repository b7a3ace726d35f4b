"""Workers that die: one of several at random, again and again, and started anew each time."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from kameng.embedded.processes import Process

EVERY_SECONDS = 3.0


@dataclass
class Killer:
    """`kill -9` for one of these workers at a time, drawn from a seed."""

    workers: Sequence[Process]
    seed: int
    kills: int = 0
    _draw: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._draw = random.Random(self.seed)

    def strike(self) -> Process:
        """Kill one, and start it again at once; it needs its time to be ready."""
        victim = self._draw.choice(self.workers)
        assert victim.alive(), f"before it was killed, {victim.explain_exit()}"
        victim.kill()
        victim.start()
        self.kills += 1
        return victim
