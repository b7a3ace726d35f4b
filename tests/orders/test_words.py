"""Every state of an order has words, whatever is known about the order."""

import re

import pytest

from orders.words import ACTION_LABELS, STATE_WORDS, state_text

FACTS = {
    "name": "48****75",
    "deadline": "11:20",
    "due": "11:20",
    "time": "10:21",
    "p50": "23 秒",
    "p90": "2 分 10 秒",
    "duration": "38 秒",
    "eta": "1–3 个工作日",
    "method": "支付宝",
    "amount": "¥57.00",
    "done": 2,
    "count": 3,
    "reason": "同一账号短时间多次下单",
}
STATES = [
    "created", "pay_confirming", "paid", "delivering", "by_owner", "delayed", "verifying", "switching", "delivered",
    "plan_under_way", "plan_opened", "plan_renewed", "codes_ready", "partial", "failed_refunding", "refunded",
    "partly_refunded", "expired", "canceled", "late_payment", "on_hold", "manual",
]  # fmt: skip


def test_there_are_words_for_exactly_the_states_that_are_shown() -> None:
    assert list(STATE_WORDS) == STATES


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("facts", [FACTS, {}, dict.fromkeys(FACTS, ""), dict.fromkeys(FACTS)])
def test_no_state_leaves_a_hole_in_its_sentences(state: str, facts: dict[str, object]) -> None:
    text = state_text(state, facts)
    assert text.badge
    assert text.headline
    assert text.detail
    assert bool(text.action) == bool(text.action_label)
    assert "%" not in text.headline + text.detail
    assert "None" not in text.headline + text.detail


@pytest.mark.parametrize("state", STATES)
def test_a_sentence_without_placeholders_stands_last(state: str) -> None:
    words = STATE_WORDS[state]
    for candidates in (words.headlines, words.details):
        assert not re.search(r"%\(", str(candidates[-1]))


def test_what_is_known_is_said() -> None:
    text = state_text("delivering", FACTS)
    assert text.headline == "已付款，正在充到 48****75"
    assert text.detail == "一半 23 秒内到账，九成 2 分 10 秒内到账"
    assert (text.tone, text.badge, text.final) == ("info", "充值中", False)


def test_an_order_for_codes_speaks_of_codes() -> None:
    assert state_text("delivering").headline == "已付款，正在出卡"
    assert state_text("paid", {"name": ""}).headline == "已付款，马上出卡"


def test_a_sentence_is_skipped_when_one_of_its_facts_is_missing() -> None:
    assert state_text("delivered", {"name": "48****75", "time": "10:21"}).detail == "10:21 到账"


def test_a_percent_sign_in_a_fact_is_kept() -> None:
    assert state_text("paid", {"name": "100%(x)s"}).headline == "已付款，马上充到 100%(x)s"


def test_a_state_without_words_is_refused() -> None:
    with pytest.raises(KeyError):
        state_text("shipped")


def test_every_action_has_a_label_and_is_used() -> None:
    assert {words.action for words in STATE_WORDS.values()} == set(ACTION_LABELS)
