"""People as a supplier like any other: ranked, paused, given attempts. No network; the attempt itself is the queue."""

from typing import ClassVar

from fulfillment.suppliers.base import Attempt, Capability, Connection, Outcome, OutcomeKind, Unasked
from kameng.core.http import HttpClient


class ManualAdapter(Unasked):
    """Takes every attempt at once and never ends one: a person does, with what they delivered or that they could not.

    The number of the attempt is all there is to tell it by, so it is also theirs.
    """

    code: ClassVar[str] = "manual"
    name: ClassVar[str] = "人工代办"
    capabilities: ClassVar[frozenset[Capability]] = frozenset({Capability.MANUAL, Capability.QUERY_BY_OUR_NUMBER})
    required_config: ClassVar[frozenset[str]] = frozenset()
    not_found_grace: ClassVar[int] = 0
    when_unclear: ClassVar[str] = "由同事在人工队列里处理：先确认还没有人充过，再充；充完马上登记。"

    def __init__(self, connection: Connection, http: HttpClient) -> None:
        """There is nothing to be configured."""

    def submit(self, attempt: Attempt) -> Outcome:
        """Queue it."""
        return self._queued(attempt)

    def query(self, attempt: Attempt) -> Outcome:
        """It is in the queue until a person has ended it."""
        return self._queued(attempt)

    def _queued(self, attempt: Attempt) -> Outcome:
        evidence = f"{attempt.sku} ×{attempt.quantity} → manual"
        return Outcome(OutcomeKind.ACCEPTED, supplier_reference=attempt.reference, evidence=evidence)
