"""`manage.py screen` answers every line, and `screening_figures` says how well."""

import io
import json

import pytest
from django.core.management import call_command

from compliance.screening.rules import Category

LINES = [
    {"title": "和平精英外挂", "description": "", "category": "games", "price": 5, "official_price": None},
    {"title": "外挂硬盘 2TB 提货券", "price": "399.00"},
    {"title": "爱奇艺 会员 月卡", "category": "membership", "price": 2.5, "official_price": "25.00"},
    {"title": "点券", "description": "本店不收 USDT", "unknown": {"kept": "out"}},
    {"title": "外\u200b挂 \ud83c"},
]
BAD = [
    (b"{", "not JSON"),
    (b"[1]", "not a JSON object"),
    (b"\xff\xfe", "not UTF-8"),
    (b'{"description": "x"}', "title"),
    (b'{"title": "  "}', "title"),
    (b'{"title": "x", "price": NaN}', "NaN"),
    (b'{"title": "x", "price": "-1"}', "price"),
    (b'{"title": "x", "official_price": true}', "official_price"),
    (b'{"title": "x", "description": 5}', "description"),
    (b'{"title": "x", "variants": "y"}', "variants"),
    (b"[" * 100_000, "nested"),
]


def screened(lines: list[bytes]) -> list[dict[str, object]]:
    out = io.StringIO()
    call_command("screen", built_in=True, stdin=io.BytesIO(b"\n".join(lines)), stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_each_line_gets_its_verdict() -> None:
    answers = screened([json.dumps(line).encode() for line in LINES] + [b"", b"  "])
    assert [answer["verdict"] for answer in answers] == ["blocked", "clear", "flagged", "clear", "blocked"]
    assert answers[0]["findings"] == [
        {
            "category": "game_cheat",
            "rule": "cheat",
            "span": {"field": "title", "start": 4, "end": 6, "text": "外挂"},
            "severity": "high",
        }
    ]
    assert answers[2]["findings"] == [
        {"category": "shared_account", "rule": "price-far-below-official", "span": None, "severity": "medium"}
    ]


def test_a_line_that_cannot_be_read_says_why_in_its_place_and_nothing_else_is_lost() -> None:
    out = io.StringIO()
    lines = [json.dumps(LINES[0]).encode(), *(line for line, _ in BAD), json.dumps(LINES[1]).encode()]
    with pytest.raises(SystemExit) as ended:
        call_command("screen", built_in=True, stdin=io.BytesIO(b"\n".join(lines)), stdout=out)
    assert ended.value.code == 1
    answers = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [answers[0]["verdict"], answers[-1]["verdict"]] == ["blocked", "clear"]
    assert len(answers) == len(BAD) + 2
    for number, (answer, (_, why)) in enumerate(zip(answers[1:-1], BAD, strict=True), 2):
        assert why in answer["error"]
        assert answer["line"] == number


def test_titles_and_logos_that_nothing_was_tuned_by_are_found_and_lawful_ones_are_not() -> None:
    out = io.StringIO()
    call_command("screening_figures", failures=True, every=6, stdout=out)  # exits with 1 where it misses the goals
    lines = out.getvalue().splitlines()
    assert [line.split()[0] for line in lines[2:14]] == [*Category, "all"]
    assert "lawful: false alarms" in lines[14]
    assert "variants of 40 logos found" in out.getvalue()
