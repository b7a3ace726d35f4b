"""The configuration of one supplier's protocol, read and checked once. `docs/generic-supplier.md` is its page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fulfillment.suppliers.base import AccountVerdict
from fulfillment.suppliers.generic.reader import Place
from fulfillment.suppliers.generic.signing import Join, Recipe, recipe
from fulfillment.suppliers.generic.templates import ACCOUNT, NAMES, QUESTION, Template, template
from fulfillment.suppliers.generic.words import CostOf, Encoding, Method, Refused, Stamp, State, Unit
from fulfillment.suppliers.reasons import Reason

DEFAULT_GRACE = 600
_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,39}(\.([A-Za-z_][A-Za-z0-9_-]{0,39}|[0-9]{1,3})){0,5}")
_URL = re.compile(r"(/[A-Za-z0-9._~{}|-]+)+/?")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
#: The HTTP client's own, or ways to be somebody else.
_FORBIDDEN_HEADERS = frozenset(
    {"host", "content-type", "content-length", "transfer-encoding", "connection", "cookie", "accept-encoding", "expect"}
)


_ELIMINATING = frozenset({Refused.NO_BALANCE, Refused.BAD_CREDENTIALS})


@dataclass(frozen=True)
class Operation:
    """One call: how it is made, and by which dotted paths its reply is read."""

    name: str
    method: Method
    path: Template
    encoding: Encoding
    parameters: Mapping[str, Template]
    headers: Mapping[str, Template]
    reply: Mapping[str, str]
    #: With codes that are objects: their parts, the secret one last.
    code_fields: tuple[str, ...] = ()
    cost_of: CostOf = CostOf.ORDER
    #: For `submit` without a state in its reply: what success means.
    success_means: State = State.ACCEPTED
    #: For `products`: the values of `available` that mean yes. Empty: whatever is listed is on sale.
    available_values: frozenset[str] = frozenset()
    verdicts: Mapping[str, AccountVerdict] | None = None
    code_verdicts: Mapping[str, AccountVerdict] | None = None

    @property
    def names(self) -> frozenset[str]:
        """Every name that its templates hold."""
        templates = [self.path, *self.parameters.values(), *self.headers.values()]
        return frozenset(name for one in templates for name in one.names)

    @property
    def asks_account(self) -> bool:
        """Whether it sends the shopper's account."""
        return any(name.startswith(ACCOUNT) for name in self.names)


@dataclass(frozen=True)
class Refusal:
    """A code of theirs that says for certain that no order was made, with the HTTP status it comes with."""

    reason: Reason
    status: int
    eliminates: bool


@dataclass(frozen=True)
class Callback:
    """Where a callback says what, and what it expects to hear."""

    encoding: Encoding
    recipe: Recipe
    reference: str
    supplier_reference: str
    state: str
    codes: str
    code_fields: tuple[str, ...]
    covers_result: bool
    time: str
    tolerance: int
    accepted: str
    refused: str


@dataclass(frozen=True)
class Protocol:
    """Everything that differs from one small supplier to the next."""

    recipe: Recipe
    stamp: Stamp
    unit: Unit
    code: str
    message: str
    success: frozenset[str]
    duplicates: frozenset[str]
    refusals: Mapping[str, Refusal]
    states: Mapping[str, State]
    not_found: frozenset[str]
    not_found_status: int
    grace: int
    operations: Mapping[str, Operation]
    callback: Callback | None
    when_unclear: str


_REPLY_KEYS: Mapping[str, frozenset[str]] = {
    "submit": frozenset({"reference", "supplier_reference", "state", "cost", "codes"}),
    "query": frozenset({"reference", "supplier_reference", "state", "cost", "codes", "done"}),
    "balance": frozenset({"balance"}),
    "products": frozenset({"list", "sku", "name", "cost", "stock", "available", "next"}),
    "price": frozenset({"cost"}),
    "check_account": frozenset({"state", "nickname"}),
}
_REPLY_NEEDS: Mapping[str, frozenset[str]] = {
    "submit": frozenset(),
    "query": frozenset({"state"}),
    "balance": frozenset({"balance"}),
    "products": frozenset({"list", "sku", "name"}),
    "price": frozenset({"cost"}),
    "check_account": frozenset(),
}
_ALLOWED: Mapping[str, frozenset[str]] = {
    "submit": NAMES - {"supplier_reference"},
    "query": NAMES - {"max_cost", "callback_url"},
    "balance": QUESTION,
    "products": QUESTION | {"cursor"},
    "price": QUESTION | {"sku"},
    "check_account": QUESTION | {"sku"},
}
_EXTRAS: Mapping[str, frozenset[str]] = {
    "submit": frozenset({"code_fields", "cost_of", "success_means"}),
    "query": frozenset({"code_fields", "cost_of"}),
    "products": frozenset({"available_values"}),
    "check_account": frozenset({"verdicts", "code_verdicts"}),
}
_CALL = frozenset({"method", "path", "encoding", "parameters", "headers", "reply"})
_TOP = frozenset(
    {
        *("encoding", "timestamp", "unit", "signature", "reply", "refusals", "duplicates", "states", "not_found"),
        *("operations", "callback", "when_unclear"),
    }
)
#: In place of an operation `query`: nobody can be asked, so that a person looks after what is unclear.
MANUAL = "manual"


def protocol(value: object) -> Protocol:
    """The configuration as a protocol. Raises `SupplierMisconfigured` with the place of the first mistake."""
    top = Place(value, "mapping").object(_TOP, needs=frozenset({"signature", "reply", "states", "operations"}))
    encoding = top["encoding"].choice(Encoding) if "encoding" in top else Encoding.FORM
    signing = recipe(top["signature"])
    reply = top["reply"].object(frozenset({"code", "message", "success"}), needs=frozenset({"code", "success"}))
    states = {name: place.choice(State) for name, place in top["states"].object().items()}
    success = _words(reply["success"])
    duplicates = _words(top["duplicates"]) if "duplicates" in top else frozenset()
    refusals = {code: _refusal(place) for code, place in top["refusals"].object().items()} if "refusals" in top else {}
    missing = top.get("not_found", Place({}, "mapping.not_found"))
    told = missing.object(frozenset({"code", "status", "grace"}), needs=frozenset({"code"})) if missing.value else {}
    not_found = _words(told["code"]) if told else frozenset()
    _apart(top, success=success, duplicates=duplicates, not_found=not_found, refusals=frozenset(refusals))
    operations = _operations(top["operations"], encoding)
    if not states.keys():
        raise top["states"].wrong("must name at least one state")
    if not_found and "query" not in operations:
        raise missing.wrong("has no use without operations.query")
    _signable(operations, signing, top["signature"])
    stamp = top["timestamp"].choice(Stamp) if "timestamp" in top else Stamp.SECONDS
    return Protocol(
        recipe=signing,
        stamp=stamp,
        unit=top["unit"].choice(Unit) if "unit" in top else Unit.YUAN,
        code=_dotted(reply["code"]),
        message=_dotted(reply["message"]) if "message" in reply else "",
        success=success,
        duplicates=duplicates,
        refusals=refusals,
        states=states,
        not_found=not_found,
        not_found_status=told["status"].whole(200, 499) if "status" in told else 200,
        grace=told["grace"].whole(0, 86_400) if "grace" in told else DEFAULT_GRACE,
        operations=operations,
        callback=_callback(top["callback"], signing, stamp) if "callback" in top else None,
        when_unclear=top["when_unclear"].text() if "when_unclear" in top else "",
    )


def _words(place: Place) -> frozenset[str]:
    """One word or number, or a list of them."""
    if isinstance(place.value, list):
        return frozenset(one.scalar() for one in place.each())
    return frozenset({place.scalar()})


def _apart(top: Mapping[str, Place], **groups: frozenset[str]) -> None:
    """A code means one thing."""
    seen: dict[str, str] = {}
    for group, codes in groups.items():
        for code in sorted(codes):
            if code in seen:
                place = top["reply"] if group == "success" else top[group]
                raise place.wrong(f"code {code!r} is also among {seen[code]}: one code cannot mean both")
            seen[code] = group


def _dotted(place: Place) -> str:
    text = place.text()
    if not _PATH.fullmatch(text):
        raise place.wrong("must be a dotted path such as data.order.no")
    return text


def _top_level(place: Place) -> str:
    path = _dotted(place)
    if "." in path:
        raise place.wrong("must be a field of the callback itself: what lies deeper is not signed")
    return path


def _refusal(place: Place) -> Refusal:
    if isinstance(place.value, str):
        word = place.choice(Refused)
        return Refusal(Reason(word), 200, word in _ELIMINATING)
    fields = place.object(frozenset({"reason", "status", "eliminates"}), needs=frozenset({"reason"}))
    word = fields["reason"].choice(Refused)
    return Refusal(
        reason=Reason(word),
        status=fields["status"].whole(200, 499) if "status" in fields else 200,
        eliminates=fields["eliminates"].flag() if "eliminates" in fields else word in _ELIMINATING,
    )


def _operations(place: Place, encoding: Encoding) -> dict[str, Operation]:
    given = place.object(frozenset(_REPLY_KEYS), needs=frozenset({"submit"}))
    if "query" not in given:
        raise Place(None, f"{place.path}.query").wrong(f'is missing; "{MANUAL}" says that nobody can be asked')
    found = {
        name: _operation(name, one, encoding)
        for name, one in given.items()
        if not (name == "query" and one.value == MANUAL)
    }
    submit, query = found["submit"], found.get("query")
    if "reference" not in submit.names:
        raise given["submit"].wrong("nowhere says {reference}: a purchase without our number cannot be found again")
    if query is not None and not query.names & {"reference", "supplier_reference"}:
        raise given["query"].wrong("nowhere says {reference} or {supplier_reference}: it asks about no order")
    if query is not None and "reference" not in query.names and "supplier_reference" not in submit.reply:
        raise given["query"].wrong("asks by {supplier_reference}, which mapping.operations.submit.reply does not read")
    if "products" in found and ("cursor" in found["products"].names) != ("next" in found["products"].reply):
        raise given["products"].wrong("{cursor} and reply.next go together")
    return found


def _operation(name: str, place: Place, encoding: Encoding) -> Operation:
    fields = place.object(_CALL | _EXTRAS.get(name, frozenset()), needs=frozenset({"path"}))
    allowed, account = _ALLOWED[name], name in {"submit", "query", "check_account"}
    method = fields["method"].choice(Method) if "method" in fields else Method.POST
    chosen = fields["encoding"].choice(Encoding) if "encoding" in fields else encoding
    if method is Method.GET:
        if "encoding" in fields and chosen is not Encoding.QUERY:
            raise fields["encoding"].wrong("a GET has no body: its parameters go into the query")
        chosen = Encoding.QUERY
    path = template(fields["path"], allowed=allowed & {"reference", "supplier_reference", "sku"}, account=False)
    if path.is_number or not _URL.fullmatch(fields["path"].text()) or ".." in fields["path"].text():
        raise fields["path"].wrong("must begin with / and hold only letters, digits and -._~ between slashes")
    parameters = fields.get("parameters", Place({}, f"{place.path}.parameters")).object()
    for one, inner in parameters.items():
        if not _PARAMETER.fullmatch(one):
            raise inner.wrong("is no name of a parameter")
        if isinstance(inner.value, Mapping) and chosen is not Encoding.JSON:
            raise inner.wrong("only JSON knows numbers")
    headers = fields.get("headers", Place({}, f"{place.path}.headers")).object()
    for one, inner in headers.items():
        if not _HEADER.fullmatch(one) or one.lower() in _FORBIDDEN_HEADERS:
            raise inner.wrong("is no header that may be set")
    reply = fields.get("reply", Place({}, f"{place.path}.reply")).object(_REPLY_KEYS[name], needs=_REPLY_NEEDS[name])
    return Operation(
        name=name,
        method=method,
        path=path,
        encoding=chosen,
        parameters={one: template(inner, allowed=allowed, account=account) for one, inner in parameters.items()},
        headers={
            one.lower(): template(inner, allowed=allowed & {"reference", "timestamp", "nonce"}, account=False)
            for one, inner in headers.items()
        },
        reply={one: _dotted(inner) for one, inner in reply.items()},
        code_fields=_names(fields, "code_fields"),
        cost_of=fields["cost_of"].choice(CostOf) if "cost_of" in fields else CostOf.ORDER,
        success_means=_meant(fields, reply),
        available_values=_words(fields["available_values"]) if "available_values" in fields else frozenset(),
        verdicts=_verdicts(fields, "verdicts"),
        code_verdicts=_verdicts(fields, "code_verdicts"),
    )


def _meant(fields: Mapping[str, Place], reply: Mapping[str, Place]) -> State:
    if "success_means" not in fields:
        return State.ACCEPTED
    word = fields["success_means"].choice(State)
    if word not in {State.ACCEPTED, State.DELIVERED} or "state" in reply:
        raise fields["success_means"].wrong("must be accepted or delivered, and only without a state in the reply")
    return word


def _names(fields: Mapping[str, Place], key: str) -> tuple[str, ...]:
    return tuple(one.text() for one in fields[key].each()) if key in fields else ()


def _verdicts(fields: Mapping[str, Place], key: str) -> Mapping[str, AccountVerdict] | None:
    if key not in fields:
        return None
    return {value: place.choice(AccountVerdict) for value, place in fields[key].object().items()}


def _signable(operations: Mapping[str, Operation], signing: Recipe, place: Place) -> None:
    """Every field that is to be signed is sent by every call, and none stands where the signature goes."""
    for name, operation in operations.items():
        sent = operation.parameters.keys() | operation.headers.keys()
        if signing.field in operation.parameters or signing.header in operation.headers:
            raise Place(None, f"mapping.operations.{name}").wrong("sends a value where the signature goes")
        for field in signing.fields or ():
            if field not in sent and name == "submit":
                raise Place(None, f"{place.path}.fields").wrong(f"names {field!r}, which {name} does not send")


_CALLBACK = frozenset(
    {
        *("encoding", "signature", "reference", "supplier_reference", "state", "codes", "code_fields"),
        *("covers_result", "time", "tolerance", "accepted", "refused"),
    }
)


def _callback(place: Place, signing: Recipe, stamp: Stamp) -> Callback:
    fields = place.object(_CALLBACK, needs=frozenset({"reference", "accepted"}))
    encoding = fields["encoding"].choice(Encoding) if "encoding" in fields else Encoding.FORM
    if encoding is Encoding.QUERY:
        raise fields["encoding"].wrong("must be form or json: a callback is a POST")
    own = recipe(fields["signature"]) if "signature" in fields else signing
    covers = fields["covers_result"].flag() if "covers_result" in fields else False
    paths = {
        name: _top_level(fields[name]) if name in fields else ""
        for name in ("reference", "supplier_reference", "state", "codes", "time")
    }
    signed = ["reference", *(["time"] if paths["time"] else [])]
    if covers:
        if not paths["state"]:
            raise Place(None, f"{place.path}.state").wrong("is missing: covers_result is about it")
        if own.join is Join.VALUES and not own.separator:
            raise fields["covers_result"].wrong(
                "cannot be: values joined by nothing let digits move from one field to the next"
            )
        signed += [name for name in ("state", "supplier_reference", "codes") if paths[name]]
    if paths["time"] and stamp not in {Stamp.SECONDS, Stamp.MILLISECONDS}:
        raise fields["time"].wrong("can be checked only where mapping.timestamp is seconds or milliseconds")
    for name in signed:
        if not own.covers(paths[name]):
            raise fields[name].wrong(f"is not among the signed fields: {paths[name]} could be anything")
    return Callback(
        encoding=encoding,
        recipe=own,
        code_fields=_names(fields, "code_fields"),
        covers_result=covers,
        tolerance=fields["tolerance"].whole(10, 3600) if "tolerance" in fields else 300,
        accepted=fields["accepted"].text(),
        refused=fields["refused"].text() if "refused" in fields else "fail",
        **paths,
    )
