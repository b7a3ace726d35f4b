"""The words of a supplier known from its configuration alone, to ours and back. What is not listed is unknown."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from fulfillment.suppliers.base import (
    AccountCheck,
    AccountVerdict,
    Attempt,
    Outcome,
    OutcomeKind,
    ProductPage,
    SupplierProduct,
)
from fulfillment.suppliers.evidence import Evidence
from fulfillment.suppliers.generic.mapping import Operation, Protocol
from fulfillment.suppliers.generic.templates import Template
from fulfillment.suppliers.generic.words import CostOf, State, Unit
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.replies import Unclear, amount, apologizes, checked_codes, identifier, name, whole

_KINDS = {
    State.ACCEPTED: (OutcomeKind.ACCEPTED, ""),
    State.DELIVERED: (OutcomeKind.DELIVERED, ""),
    State.FAILED: (OutcomeKind.FAILED, Reason.FAILED),
    State.CANCELED: (OutcomeKind.FAILED, Reason.CANCELED),
    State.PARTIAL: (OutcomeKind.PARTIAL, ""),
    State.REFUNDED: (OutcomeKind.REVERSED, Reason.REFUNDED),
}


def values_of(attempt: Attempt, protocol: Protocol) -> dict[str, str]:
    """What templates may hold, as text, without time and nonce."""
    limit = ""
    if attempt.max_cost is not None:
        limit = f"{attempt.max_cost.quantize(Decimal('0.01'), rounding=ROUND_DOWN):f}"
        if protocol.unit is Unit.FEN:
            limit = str(int(attempt.max_cost * 100))
    return {
        "reference": attempt.reference,
        "sku": attempt.sku,
        "quantity": str(attempt.quantity),
        "max_cost": limit,
        "callback_url": attempt.callback_url,
        "supplier_reference": attempt.supplier_reference,
        **account_values(attempt.account),
    }


def account_values(account: Mapping[str, str]) -> dict[str, str]:
    """The shopper's account under the names of templates."""
    return {f"account.{key}": value.strip() for key, value in account.items()}


def unsendable(attempt: Attempt, submit: Operation, query: Operation | None) -> Reason | None:
    """Why the attempt cannot be put into the supplier's words; None if it can."""
    asked = submit.names
    if attempt.wants_codes:
        reads_codes = "codes" in submit.reply or (query is not None and "codes" in query.reply)
        return None if reads_codes else Reason.WRONG_KIND
    if not submit.asks_account:
        return Reason.WRONG_KIND
    given = account_values(attempt.account)
    return None if any(given.get(one) for one in asked) else Reason.MISSING_ACCOUNT


def as_sent(filled: str, template: Template) -> str | int | Decimal | None:
    """A parameter's value in JSON: text, or a number where the configuration wants one; None for what is none."""
    if not template.is_number:
        return filled
    number = whole(filled)
    return number if number is not None else amount(filled)


def at(fields: object, path: str) -> object:
    """What a dotted path leads to; None if it leads nowhere."""
    for step in path.split("."):
        if isinstance(fields, dict):
            fields = fields.get(step)
        elif isinstance(fields, list) and step.isdecimal() and int(step) < len(fields):
            fields = fields[int(step)]
        else:
            return None
    return fields


def word(value: object) -> str | None:
    """A code or state as configurations write it; None for anything that is neither text nor number."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | str):
        return str(value).strip()
    return None


def money(value: object, unit: Unit) -> Decimal | None:
    """An amount in the connection's currency; None where none is told."""
    if unit is Unit.YUAN:
        return amount(value)
    fen = whole(value)
    if fen is None:
        found = amount(value)
        return None if found is None else found / 100
    return amount(Decimal(fen) / 100)


def priced(value: object, unit: Unit) -> Decimal | None:
    """A price; None for a missing one, and for nothing, which no supplier sells for."""
    return money(value, unit) or None


@dataclass(frozen=True)
class Shown:
    """Which fields an operator may see: numbers and states, and sentences."""

    plain: frozenset[str]
    words: frozenset[str]


def shown(protocol: Protocol) -> Shown:
    """The names of what is neither secret nor a code; a name that a code also has is hidden."""
    plain, hidden = {protocol.code.rpartition(".")[2]}, set()
    safe = {"reference", "sku", "quantity", "max_cost", "timestamp", "supplier_reference"}
    for operation in protocol.operations.values():
        plain |= {key for key, one in operation.parameters.items() if one.names and one.names <= safe}
        for key in ("reference", "supplier_reference", "state", "cost", "done"):
            plain |= {operation.reply[key].rpartition(".")[2]} if key in operation.reply else set()
        hidden |= set(operation.reply.get("codes", "").split(".")) | set(operation.code_fields)
        hidden |= {key for key, one in operation.parameters.items() if any("account." in name for name in one.names)}
        hidden |= {operation.reply["nickname"].rpartition(".")[2]} if "nickname" in operation.reply else set()
    if protocol.callback is not None:
        callback = protocol.callback
        plain |= {callback.reference, callback.supplier_reference, callback.state} - {""}
        hidden |= {callback.codes, *callback.code_fields}
    words = {protocol.message.rpartition(".")[2]} - hidden
    return Shown(frozenset(plain - hidden - words), frozenset(words - {""}))


def codes_of(value: object, parts: tuple[str, ...]) -> list[str]:
    """The codes as they stand there: lines of a text, a list of texts, or of objects of which the last of the `parts`
    must not be empty. Raises `Unclear`."""
    if isinstance(value, str):
        return [line for line in value.replace("\r", "\n").split("\n") if line.strip()]
    if not isinstance(value, list):
        raise Unclear(Reason.MISSING_FIELDS)
    return [_code(one, parts) for one in value]


def _code(one: object, parts: tuple[str, ...]) -> str:
    if isinstance(one, str):
        return one
    if not isinstance(one, dict) or not parts:
        raise Unclear(Reason.MISSING_FIELDS)
    found = [one.get(part) for part in parts]
    texts = ["" if text is None else text for text in found]
    if not all(isinstance(text, str) for text in texts):
        raise Unclear(Reason.MISSING_FIELDS)
    cleaned = [str(text).strip() for text in texts]
    if not cleaned[-1]:
        raise Unclear(Reason.EMPTY_CODE)
    return " ".join(text for text in dict.fromkeys(cleaned) if text)


def order_outcome(
    fields: Mapping[str, object], operation: Operation, attempt: Attempt, protocol: Protocol, evidence: Evidence
) -> Outcome:
    """What the order in a reply has come to. Raises `Unclear`."""
    reply = operation.reply
    if "reference" in reply and word(at(fields, reply["reference"])) != attempt.reference:
        raise Unclear(Reason.OTHER_ORDER)
    reference = ""
    if "supplier_reference" in reply:
        reference = identifier({"number": at(fields, reply["supplier_reference"])}, "number")
        if attempt.supplier_reference not in ("", reference):
            raise Unclear(Reason.OTHER_ORDER)
    state = operation.success_means
    if "state" in reply:
        told = word(at(fields, reply["state"]))
        if told is None or told == "":
            raise Unclear(Reason.MISSING_FIELDS)
        if told not in protocol.states:
            raise Unclear(Reason.UNKNOWN_STATE)
        state = protocol.states[told]
    kind, code = _KINDS[state]
    found = at(fields, reply["codes"]) if "codes" in reply else None
    items: tuple[str, ...] = ()
    done = None
    if kind is OutcomeKind.DELIVERED and attempt.wants_codes:
        if "codes" not in reply:
            # Delivered, but this call does not bring the codes: the question will.
            kind = OutcomeKind.ACCEPTED
        else:
            items = checked_codes(codes_of(found, operation.code_fields), quantity=attempt.quantity)
    elif kind is OutcomeKind.DELIVERED and isinstance(found, str) and apologizes(found):
        raise Unclear(Reason.PLACEHOLDER)
    elif kind is OutcomeKind.FAILED and found:
        raise Unclear(Reason.UNKNOWN_STATE)
    elif kind is OutcomeKind.PARTIAL:
        done = whole(at(fields, reply["done"])) if "done" in reply else None
        if done is not None and not 0 <= done <= attempt.quantity:
            raise Unclear(Reason.WRONG_COUNT)
    cost = money(at(fields, reply["cost"]), protocol.unit) if "cost" in reply else None
    if cost is not None and operation.cost_of is CostOf.PIECE:
        cost *= attempt.quantity
    return Outcome(
        kind,
        items=items,
        done=done,
        supplier_reference=reference,
        code=code,
        cost=cost,
        evidence=evidence.text(items),
    )


def product_page(fields: Mapping[str, object], operation: Operation, unit: Unit) -> ProductPage:
    """A page of the price list; lines without a code or a name are left out. Raises `Unclear`."""
    reply = operation.reply
    listed = at(fields, reply["list"])
    if not isinstance(listed, list):
        raise Unclear(Reason.MISSING_FIELDS)
    following = word(at(fields, reply["next"])) if "next" in reply else None
    found = [_product(one, operation, unit) for one in listed]
    products = tuple(one for one in found if one is not None)
    return ProductPage(products, "" if following in (None, "0", "false") else str(following))


def _product(one: object, operation: Operation, unit: Unit) -> SupplierProduct | None:
    reply = operation.reply
    try:
        sku = name({"sku": at(one, reply["sku"])}, "sku")
        title = name({"name": at(one, reply["name"])}, "name")
    except Unclear:
        return None
    on_sale = True
    if "available" in reply and operation.available_values:
        on_sale = word(at(one, reply["available"])) in operation.available_values
    return SupplierProduct(
        sku,
        title,
        priced(at(one, reply["cost"]), unit) if "cost" in reply else None,
        whole(at(one, reply["stock"])) if "stock" in reply else None,
        on_sale,
    )


def account_check(fields: Mapping[str, object], code: str, operation: Operation, protocol: Protocol) -> AccountCheck:
    """What a reply says about an account; anything that is not listed says nothing."""
    by_code, by_state = operation.code_verdicts or {}, operation.verdicts or {}
    verdict = AccountVerdict.UNAVAILABLE
    if code in by_code:
        verdict = by_code[code]
    elif code in protocol.success:
        verdict = AccountVerdict.OK
        if "state" in operation.reply:
            told = word(at(fields, operation.reply["state"]))
            verdict = by_state.get(told or "", AccountVerdict.UNAVAILABLE)
    nickname = at(fields, operation.reply["nickname"]) if "nickname" in operation.reply else None
    said = nickname.strip()[:60] if isinstance(nickname, str) and verdict is AccountVerdict.OK else ""
    return AccountCheck(verdict, said)
