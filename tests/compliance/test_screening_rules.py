"""Rules carry examples that they must and must not find, and whoever writes a wrong one hears what is wrong."""

from dataclasses import replace

import pytest

from compliance.screening.checking import check
from compliance.screening.rules import Category, Rule, Severity, built_in_groups, built_in_rules

GOOD = Rule(
    code="cheat",
    category=Category.GAME_CHEAT,
    severity=Severity.HIGH,
    terms=("外挂",),
    but_not=("外挂硬盘",),
    near=("@games",),
    hits=("和平精英 外挂",),
    misses=("外挂硬盘 和平精英", "外挂"),
)


def test_each_rule_that_comes_with_the_software_keeps_its_own_examples() -> None:
    rules = built_in_rules()
    wrong = {rule.code: found for rule in rules if (found := check(rule, built_in_groups()))}
    assert wrong == {}
    assert {rule.category for rule in rules} == set(Category)
    codes = [(rule.category, rule.code) for rule in rules]
    assert len(codes) == len(set(codes))
    assert all(rule.note for rule in rules)


def test_a_right_rule_may_be_kept() -> None:
    assert check(GOOD, built_in_groups()) == {}


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"code": "Cheat!"}, "code", "小写字母"),
        ({"terms": ()}, "terms", "至少要有一个词"),
        ({"terms": ("挂",)}, "terms", "“挂”"),
        ({"terms": ("外挂" * 21,)}, "terms", "40"),
        ({"terms": ("★★",)}, "terms", "★★"),
        ({"terms": tuple(f"外挂{number}" for number in range(500))}, "terms", "400"),
        ({"terms": ("外挂", "1:1")}, "terms", "1:1"),
        ({"near": ("@none",)}, "near", "@none"),
        ({"window": 0}, "window", "200"),
        ({"but_not": ("移动硬盘",)}, "but_not", "移动硬盘"),
        ({"hits": ()}, "hits", "至少"),
        ({"hits": ("和平精英 点券",)}, "hits", "没有命中：和平精英 点券"),
        ({"misses": ("和平精英 外挂",)}, "misses", "却命中了：和平精英 外挂"),
    ],
)
def test_a_wrong_rule_says_what_is_wrong_and_where(change: dict[str, object], field: str, says: str) -> None:
    found = check(replace(GOOD, **change), built_in_groups())  # type: ignore[arg-type]
    assert field in found
    assert says in " ".join(map(str, found[field]))
