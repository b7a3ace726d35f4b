"""Reading the callback of a supplier that is known from its configuration."""

from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import parse_qsl

from fulfillment.suppliers.base import CallbackClaim, CallbackRefused, Outcome, OutcomeKind
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.generic.mapping import Callback, Protocol
from fulfillment.suppliers.generic.transformers import codes_of
from fulfillment.suppliers.generic.words import Encoding, Stamp, State
from fulfillment.suppliers.replies import Unclear, checked_codes, identifier, json_object, name

#: Only these are believed from a callback: any other end is asked about, above all one that frees the attempt.
_BELIEVED = {
    State.ACCEPTED: OutcomeKind.ACCEPTED,
    State.DELIVERED: OutcomeKind.DELIVERED,
    State.REFUNDED: OutcomeKind.REVERSED,
}


def claim(
    callback: Callback,
    protocol: Protocol,
    evidence: Evidence,
    *,
    secret: str,
    now: float,
    headers: Mapping[str, str],
    body: bytes,
) -> CallbackClaim:
    """What a callback says, once its signature and its time are right. Raises `CallbackRefused`."""
    raw, fields = _fields(callback, body)
    recipe = callback.recipe
    claimed = fields.get(recipe.field, "") if recipe.field else headers.get(recipe.header, "")
    if not claimed or not recipe.signed(fields, claimed, secret):
        raise CallbackRefused("bad signature")
    if callback.time and not _is_fresh(fields.get(callback.time, ""), callback, protocol, now):
        raise CallbackRefused("stale")
    try:
        reference = name(fields, callback.reference)
        theirs = identifier(fields, callback.supplier_reference) if callback.supplier_reference else ""
    except Unclear as unclear:
        raise CallbackRefused(f"malformed: {unclear.reason}") from unclear
    state = fields.get(callback.state, "") if callback.state else ""
    evidence.sent("callback", fields)
    outcome = None
    if callback.covers_result:
        try:
            outcome = _outcome(callback, protocol, evidence, state=state, theirs=theirs, codes=raw.get(callback.codes))
        except Unclear:
            outcome = None
    return CallbackClaim(reference=reference[:64], event_id=f"{reference}:{theirs}:{state}"[:100], outcome=outcome)


def _fields(callback: Callback, body: bytes) -> tuple[Mapping[str, object], dict[str, str]]:
    """The callback's fields as they came, and as the text that is signed. Raises `CallbackRefused`."""
    if callback.encoding is Encoding.FORM:
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=100)
        except ValueError as error:
            raise CallbackRefused("malformed: not a form") from error
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise CallbackRefused("malformed: a repeated name")
        if any("\0" in text for text in fields.values()):
            raise CallbackRefused("malformed: a zero character")
        return fields, fields
    try:
        raw = json_object(body)
    except Unclear as unclear:
        raise CallbackRefused(f"malformed: {unclear.reason}") from unclear
    signed = raw if callback.recipe.fields is None else {key: raw.get(key) for key in callback.recipe.fields}
    if any(isinstance(value, dict | list) for value in signed.values()):
        raise CallbackRefused("malformed: what is signed must be text")
    return raw, {key: _text(value) for key, value in raw.items() if not isinstance(value, dict | list)}


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _is_fresh(stamp: str, callback: Callback, protocol: Protocol, now: float) -> bool:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 16):
        return False
    seconds = int(stamp) / (1000 if protocol.stamp is Stamp.MILLISECONDS else 1)
    return abs(now - seconds) <= callback.tolerance


def _outcome(
    callback: Callback, protocol: Protocol, evidence: Evidence, *, state: str, theirs: str, codes: object
) -> Outcome | None:
    """The result that a signature covers; how many codes were bought is not told, so that the caller must count them.
    Raises `Unclear`."""
    meant = protocol.states.get(state.strip())
    kind = _BELIEVED.get(meant) if meant is not None else None
    if kind is None:
        return None
    items: tuple[str, ...] = ()
    if kind is OutcomeKind.DELIVERED and codes:
        found = codes_of(codes, callback.code_fields)
        items = checked_codes(found, quantity=len(found))
    return Outcome(kind, items=items, supplier_reference=theirs, evidence=evidence.text(items))
