"""The signature of a reply covers the exact text of one node: whatever is in it, that text has to be cut out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.gateways.alipay.transformers import reply_node

METHOD = "alipay.trade.query"
NODE = "alipay_trade_query_response"

text = st.text(st.characters(exclude_categories=["Cs"])) | st.text('{}[]":,\\/')
value = st.recursive(
    st.none() | st.booleans() | st.integers() | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=12,
)
space = st.text(" \t\r\n", max_size=3)


@given(
    node=st.dictionaries(text, value, max_size=6),
    others=st.dictionaries(text.filter(lambda name: name not in {NODE, "error_response", "sign"}), value, max_size=4),
    place=st.integers(0, 4),
    sign_first=st.booleans(),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    escape=st.booleans(),
    gap=space,
)
def test_finds_the_exact_text_of_any_node_among_any_others(
    node, others, place, sign_first, ascii_only, indent, escape, gap
):
    def dump(document: object) -> str:
        dumped = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
        return dumped.replace("/", "\\/") if escape else dumped

    members = [(name, dump(other)) for name, other in others.items()]
    members.insert(place, (NODE, dump(node)))
    members.insert(0 if sign_first else len(members), ("sign", '"c2ln"'))
    body = gap + "{" + ",".join(f"{gap}{dump(n)}{gap}:{gap}{text}{gap}" for n, text in members) + "}" + gap
    found = reply_node(body.encode(), METHOD)
    assert (found.text, found.signature) == (dump(node), "c2ln")
    assert json.loads(found.text) == node


@given(
    st.dictionaries(text, value, min_size=1, max_size=4).flatmap(
        lambda node: st.tuples(st.just(node), st.integers(1, len(json.dumps({NODE: node, "sign": "c2ln"})) - 1))
    )
)
def test_refuses_every_truncated_reply(cut):
    node, length = cut
    with pytest.raises(ValueError):  # noqa: PT011 (every reason is one)
        reply_node(json.dumps({NODE: node, "sign": "c2ln"}).encode()[:length], METHOD)


@given(st.binary(max_size=200) | text.map(str.encode))
def test_never_fails_in_another_way(body):
    try:
        reply_node(body, METHOD)
    except ValueError:
        return
    raise AssertionError("random bytes were taken for a reply")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"sign":"c2ln"}',
        f'{{"{NODE}":"text","sign":"c2ln"}}',
        f'{{"{NODE}":{{}},"sign":7}}',
        f'{{"{NODE}":{{}},"sign":"c2ln"}} more',
        f'{{"{NODE}":{{}},"sign":"c2ln",}}',
        f'{{"{NODE}":{{}} "sign":"c2ln"}}',
        f'{{"{NODE}":{{}},"sign":"c2ln"',
        f'{{{NODE}:{{}},"sign":"c2ln"}}',
        '{"alipay_trade_close_response":{},"sign":"c2ln"}',
    ],
)
def test_refuses_what_is_no_answer(body):
    with pytest.raises(ValueError):  # noqa: PT011 (every reason is one)
        reply_node(body.encode(), METHOD)


@pytest.mark.parametrize("name", [NODE, "sign", "msg"])
def test_refuses_a_name_that_occurs_twice(name):
    values = {NODE: "{}", "sign": '"c2ln"', "msg": '"x"'}
    body = "{" + ",".join(f'"{n}":{v}' for n, v in values.items()) + f',"{name}":{values[name]}}}'
    with pytest.raises(ValueError, match="twice"):
        reply_node(body.encode(), METHOD)


def test_refuses_a_reply_nested_beyond_all_reason():
    with pytest.raises(ValueError, match="nested"):
        reply_node(f'{{"{NODE}":{"[" * 200_000}'.encode(), METHOD)


def test_refuses_a_reply_in_another_encoding():
    with pytest.raises(UnicodeDecodeError):
        reply_node(f'{{"{NODE}":{{"msg":"成功"}},"sign":"c2ln"}}'.encode("gbk"), METHOD)


def test_takes_an_error_response_where_the_node_is_missing():
    found = reply_node(b'{"error_response":{"code":"40002"}}', METHOD)
    assert (found.text, found.signature) == ('{"code":"40002"}', "")
