"""A mistake in a description is refused when it is saved, with its place and what would be right."""

import json
from typing import Any

import pytest

from fulfillment.suppliers.base import Connection, SupplierMisconfigured
from fulfillment.suppliers.generic.adapter import GenericAdapter
from fulfillment.suppliers.generic.mapping import protocol
from fulfillment.suppliers.models import Supplier
from fulfillment.suppliers.services import supplier_save
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.side_generic import changed, described

OPERATIONS = "operations."
SUBMIT, QUERY = f"{OPERATIONS}submit.", f"{OPERATIONS}query."
PARAMETERS = f"{SUBMIT}parameters."

WRONG: list[tuple[str, Any, str]] = [
    # the whole
    ("surprise", 1, "mapping.surprise: unknown key; known are callback, "),
    ("signature", ..., "mapping.signature: is missing"),
    ("states", {}, "mapping.states: must name at least one state"),
    ("states", [], "mapping.states: must be an object"),
    ("encoding", "xml", "mapping.encoding: must be one of json, form, query"),
    ("unit", "dollar", "mapping.unit: must be one of yuan, fen"),
    ("timestamp", "%s", "mapping.timestamp: must be one of seconds, milliseconds, "),
    ("when_unclear", "a\nb", "mapping.when_unclear: must be a text of one line"),
    ("when_unclear", "长" * 501, "mapping.when_unclear: must be a text of one line, 500 characters at most"),
    # the signature
    ("signature.algorithm", "sha1", "mapping.signature.algorithm: must be one of md5, sha256, hmac-md5, hmac-sha256"),
    ("signature.algorithm", ..., "mapping.signature.algorithm: is missing"),
    (
        "signature.secret_place",
        "none",
        "mapping.signature.secret_place: a plain digest without the secret proves nothi",
    ),
    ("signature.field", ..., "mapping.signature.field: is missing, and so is header: the signature goes nowhere"),
    (
        "signature.header",
        "X-Sign",
        "mapping.signature.header: the signature goes to a field or to a header, not to both",
    ),
    ("signature.fields", "some", 'mapping.signature.fields: must be "all" or a list of names'),
    ("signature.fields", [], "mapping.signature.fields: must be a list that is not empty"),
    ("signature.fields", ["num", "num"], "mapping.signature.fields: names a field twice"),
    ("signature.fields", ["mch_id", "nobody"], "mapping.signature.fields: names 'nobody', which submit does not send"),
    ("signature.separator", "&&&&", "mapping.signature.separator: must be three characters at most"),
    ("signature.skip_empty", "yes", "mapping.signature.skip_empty: must be true or false"),
    ("signature.case", "Upper", "mapping.signature.case: must be one of lower, upper"),
    # replies
    ("reply.code", "data..code", "mapping.reply.code: must be a dotted path such as data.order.no"),
    ("reply.code", "data[0].code", "mapping.reply.code: must be a dotted path"),
    ("reply.code", "", "mapping.reply.code: must not be empty"),
    ("reply.success", [], "mapping.reply.success: must be a list that is not empty"),
    ("reply.success", {"0": 1}, "mapping.reply.success: must be a text of one line"),
    ("reply.success", ["0", "2003"], "mapping.refusals: code '2003' is also among success"),
    ("duplicates", "2003", "mapping.refusals: code '2003' is also among duplicates"),
    ("not_found.code", "0", "mapping.not_found: code '0' is also among success"),
    ("not_found.grace", -1, "mapping.not_found.grace: must be a whole number from 0 to 86400"),
    ("not_found.grace", True, "mapping.not_found.grace: must be a whole number"),
    ("not_found.status", 500, "mapping.not_found.status: must be a whole number from 200 to 499"),
    ("refusals.2003", "sold_out", "mapping.refusals.2003: must be one of out_of_stock, product_unavailable, "),
    ("refusals.2003", {"status": 200}, "mapping.refusals.2003.reason: is missing"),
    ("refusals.2003", {"reason": "out_of_stock", "status": 503}, "mapping.refusals.2003.status: must be a whole numb"),
    ("refusals.2003", {"reason": "bad_sku"}, "mapping.refusals.2003.reason: must be one of"),
    (
        "states.2",
        "success",
        "mapping.states.2: must be one of accepted, delivered, failed, canceled, partial, refunded",
    ),
    # operations
    ("operations", {}, "mapping.operations.submit: is missing"),
    ("operations.query", ..., 'mapping.operations.query: is missing; "manual" says that nobody can be asked'),
    ("operations.query", "never", "mapping.operations.query: must be an object"),
    ("operations.query", "manual", "mapping.not_found: has no use without operations.query"),
    ("operations.cancel", {"path": "/x"}, "mapping.operations.cancel: unknown key; known are balance, check_account, "),
    (f"{SUBMIT}path", ..., "mapping.operations.submit.path: is missing"),
    (f"{SUBMIT}path", "api/order", "mapping.operations.submit.path: must begin with /"),
    (f"{SUBMIT}path", "/api/../admin", "mapping.operations.submit.path: must begin with /"),
    (f"{SUBMIT}path", "//evil.example/x", "mapping.operations.submit.path: must begin with /"),
    (f"{SUBMIT}path", "/order?key=1", "mapping.operations.submit.path: must begin with /"),
    (f"{SUBMIT}path", "/order/{nonce}", "mapping.operations.submit.path: {nonce} cannot stand here"),
    (f"{SUBMIT}path", "/order/{account.uid}", "mapping.operations.submit.path: {account.uid} cannot stand here"),
    (f"{SUBMIT}method", "PUT", "mapping.operations.submit.method: must be one of GET, POST"),
    (f"{SUBMIT}encoding", "multipart", "mapping.operations.submit.encoding: must be one of json, form, query"),
    (
        f"{SUBMIT}reply.cards",
        "data.cards",
        "mapping.operations.submit.reply.cards: unknown key; known are codes, cost, ",
    ),
    (f"{SUBMIT}success_means", "failed", "mapping.operations.submit.success_means: must be accepted or delivered"),
    (f"{SUBMIT}success_means", "delivered", "mapping.operations.submit.success_means: must be accepted or delivered"),
    (f"{SUBMIT}cost_of", "dozen", "mapping.operations.submit.cost_of: must be one of order, piece"),
    (f"{SUBMIT}headers", {"Host": "a"}, "mapping.operations.submit.headers.Host: is no header that may be set"),
    (f"{SUBMIT}headers", {"X A": "a"}, "mapping.operations.submit.headers.X A: is no header that may be set"),
    (f"{SUBMIT}headers", {"X-A": "{account.uid}"}, "mapping.operations.submit.headers.X-A: {account.uid} cannot stand"),
    (f"{PARAMETERS}out_order_no", "1", "mapping.operations.submit: nowhere says {reference}"),
    (f"{PARAMETERS}goods_id", "{secret}", "mapping.operations.submit.parameters.goods_id: {secret} cannot stand here"),
    (
        f"{PARAMETERS}goods_id",
        "{sku.__class__}",
        "mapping.operations.submit.parameters.goods_id: {sku.__class__} canno",
    ),
    (f"{PARAMETERS}goods_id", "{sku!r}", "mapping.operations.submit.parameters.goods_id: {sku!r} cannot stand here"),
    (f"{PARAMETERS}goods_id", "{}", "mapping.operations.submit.parameters.goods_id: {} cannot stand here"),
    (f"{PARAMETERS}goods_id", "{sku", "mapping.operations.submit.parameters.goods_id: a brace without its partner"),
    (
        f"{PARAMETERS}goods_id",
        "{sku|reference}",
        "mapping.operations.submit.parameters.goods_id: {sku|reference} canno",
    ),
    (f"{PARAMETERS}goods_id", {"number": "{sku}"}, "mapping.operations.submit.parameters.goods_id: only JSON knows n"),
    (f"{PARAMETERS}goods_id", ["{sku}"], "mapping.operations.submit.parameters.goods_id: must be a text of one line"),
    (f"{PARAMETERS}account", "{account.UID}", "mapping.operations.submit.parameters.account: {account.UID} cannot sta"),
    (f"{PARAMETERS}order", "{supplier_reference}", "mapping.operations.submit.parameters.order: {supplier_reference} "),
    (f"{PARAMETERS}sign", "x", "mapping.operations.submit: sends a value where the signature goes"),
    (f"{PARAMETERS}a&b", "x", "mapping.operations.submit.parameters.a&b: is no name of a parameter"),
    (f"{QUERY}parameters.out_order_no", "1", "mapping.operations.query: nowhere says {reference} or {supplier_referen"),
    (f"{QUERY}reply.state", ..., "mapping.operations.query.reply.state: is missing"),
    (f"{OPERATIONS}balance.parameters.sku", "{sku}", "mapping.operations.balance.parameters.sku: {sku} cannot stand"),
    (f"{OPERATIONS}balance.reply", {}, "mapping.operations.balance.reply.balance: is missing"),
    (f"{OPERATIONS}products.reply.next", ..., "mapping.operations.products: {cursor} and reply.next go together"),
    (f"{OPERATIONS}price.reply.cost", "price;drop", "mapping.operations.price.reply.cost: must be a dotted path"),
    (f"{OPERATIONS}check_account.verdicts.1", "fine", "mapping.operations.check_account.verdicts.1: must be one of ok"),
    # the callback
    ("callback.reference", ..., "mapping.callback.reference: is missing"),
    ("callback.reference", "data.no", "mapping.callback.reference: must be a field of the callback itself"),
    ("callback.accepted", "", "mapping.callback.accepted: must not be empty"),
    ("callback.encoding", "query", "mapping.callback.encoding: must be form or json"),
    ("callback.state", ..., "mapping.callback.state: is missing: covers_result is about it"),
    (
        "callback.signature",
        {"algorithm": "md5", "field": "sign", "join": "values", "separator": ""},
        "mapping.callback.covers_result: cannot be: values joined by nothing let digits move from one field to",
    ),
    ("callback.tolerance", 1, "mapping.callback.tolerance: must be a whole number from 10 to 3600"),
    (
        "callback.signature",
        {"algorithm": "md5", "field": "sign", "fields": ["out_order_no", "timestamp", "order_no"]},
        "mapping.callback.state: is not among the signed fields: state could be anything",
    ),
    (
        "callback.signature",
        {"algorithm": "md5", "field": "sign", "fields": ["state", "timestamp", "order_no"]},
        "mapping.callback.reference: is not among the signed fields",
    ),
    (
        "callback.signature",
        {"algorithm": "md5", "field": "sign", "fields": ["out_order_no", "state", "order_no"]},
        "mapping.callback.time: is not among the signed fields",
    ),
]


def test_the_sandbox_s_description_is_right() -> None:
    assert protocol(described()).unit == "fen"


@pytest.mark.parametrize(("path", "value", "message"), WRONG, ids=lambda part: str(part)[:60])
def test_a_wrong_description_is_refused_by_its_place(http: HttpClient, path: str, value: Any, message: str) -> None:
    config = {"mapping": json.dumps(changed(path, value)), "secret": "hush"}
    with pytest.raises(SupplierMisconfigured) as refused:
        GenericAdapter(Connection("shanhe", "https://them.example", config), http)
    assert str(refused.value).startswith(f"shanhe: {message}")
    assert len(str(refused.value)) < 400


def test_a_query_by_a_number_that_nobody_reads_is_refused() -> None:
    mapping = changed(f"{SUBMIT}reply.supplier_reference", ...)
    mapping["operations"]["query"]["parameters"] = {"order_no": "{supplier_reference}"}
    with pytest.raises(SupplierMisconfigured, match=r"mapping\.operations\.query: asks by \{supplier_reference\}"):
        protocol(mapping)


def test_a_get_has_no_body() -> None:
    mapping = changed(f"{QUERY}method", "GET")
    mapping["operations"]["query"]["encoding"] = "json"
    with pytest.raises(SupplierMisconfigured, match=r"mapping\.operations\.query\.encoding: a GET has no body"):
        protocol(mapping)


def test_the_time_of_a_callback_can_be_checked_only_as_a_number() -> None:
    with pytest.raises(SupplierMisconfigured, match=r"mapping\.callback\.time: can be checked only where"):
        protocol(changed("timestamp", "yyyyMMddHHmmss"))


@pytest.mark.parametrize("text", ["{", "null", "[]", '"x"', "[" * 100_000, "NaN"])
def test_a_description_must_be_an_object(http: HttpClient, text: str) -> None:
    with pytest.raises(SupplierMisconfigured, match=r"shanhe: mapping: (is not JSON|must be an object)"):
        GenericAdapter(Connection("shanhe", "https://them.example", {"mapping": text, "secret": "hush"}), http)


def test_a_mistake_does_not_quote_what_was_written(http: HttpClient) -> None:
    mapping = changed("signature.secret_name", {"hush": "hush"})
    with pytest.raises(SupplierMisconfigured) as refused:
        GenericAdapter(
            Connection("shanhe", "https://them.example", {"mapping": json.dumps(mapping), "secret": "s"}), http
        )
    assert "hush" not in str(refused.value)


@pytest.mark.django_db
def test_a_wrong_description_is_not_saved() -> None:
    good = {"mapping": json.dumps(described()), "secret": "hush"}
    supplier_save(code="shanhe", name="山河", adapter="generic", base_url="https://them.example", config=good)
    wrong = good | {"mapping": json.dumps(changed("encoding", "xml"))}
    with pytest.raises(SupplierMisconfigured, match=r"shanhe: mapping\.encoding"):
        supplier_save(code="shanhe", name="别的", adapter="generic", base_url="https://them.example", config=wrong)
    kept = Supplier.objects.get(code="shanhe")
    assert (kept.name, kept.config) == ("山河", good)
