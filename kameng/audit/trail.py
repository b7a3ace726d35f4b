"""I12: nothing in the audit trail was changed, put in or taken out."""

from compliance.trail.chain import ORIGIN, digest
from compliance.trail.models import AuditEntry, Head
from compliance.trail.selectors import in_order
from kameng.audit.ledger import UNGUARDED
from kameng.audit.reach import whole
from kameng.audit.reading import Breaches, found

GUARDS = [
    *("trail_entry_stays", "trail_entry_follows", "trail_entry_moves_head"),
    *("trail_head_stays", "trail_head_moves_on"),
]


@whole
def trail_is_whole() -> Breaches:
    """Each entry hashes to what it says, follows the one before, and the last one is where the head is."""
    yield from found("the trail is without its guard {guard}", UNGUARDED, [GUARDS])
    head = Head.objects.first()
    if head is None:
        yield "the trail's head is missing: nobody can say where the chain ends"
    expected, previous = 1, ORIGIN
    for entry in in_order(AuditEntry.objects.all()):
        if entry.sequence < 1 or (head is not None and entry.sequence > head.sequence):
            yield f"entry #{entry.sequence} is none of the chain's: {entry.action} {entry.subject}"
            continue
        if entry.sequence > expected:
            yield f"{_numbers(expected, entry.sequence - 1)} missing"
        elif entry.previous != previous:
            yield f"entry #{entry.sequence} does not follow the one before as that one stands there"
        if entry.hash != digest(entry.written_down()):
            yield f"entry #{entry.sequence} is not what was written: {entry.action} {entry.subject}"
        expected, previous = entry.sequence + 1, entry.hash
    if head is not None and expected <= head.sequence:
        yield f"{_numbers(expected, head.sequence)} missing at the end"
    elif head is not None and head.hash != previous:
        yield f"the trail's head is not entry #{head.sequence} as it stands there"


def _numbers(first: int, last: int) -> str:
    return f"entry #{first} is" if first == last else f"entries #{first} to #{last} are"
