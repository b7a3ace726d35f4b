import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.search import MAX_QUERY, fold, rank, search_text, words_of

SHELF = [
    ("steam", search_text(name="Steam 钱包充值码", aliases=["蒸汽"], context=["Valve", "游戏点卡", "50 美元"])),
    ("hok", search_text(name="王者荣耀 点券", name_en="Honor of Kings Tokens", aliases=["王者荣耀", "农药", "HOK"])),
    ("peace", search_text(name="和平精英 点券", name_en="Peacekeeper Elite", aliases=["吃鸡"], context=["腾讯游戏"])),
    (
        "iqiyi",
        search_text(name="爱奇艺黄金会员", name_en="iQIYI Gold VIP", aliases=["爱奇艺"], context=["月卡", "视频会员"]),
    ),
    ("qqmusic", search_text(name="QQ音乐豪华绿钻", name_en="QQ Music", aliases=["绿钻"], context=["腾讯音乐", "月卡"])),
]


def found(query: str) -> list[str]:
    return rank(query, SHELF)


@pytest.mark.parametrize(
    "query",
    [
        "wzry",
        "WZRY",
        "ｗｚｒｙ",
        " w z r y ",
        "农药",
        "ny",
        "nongyao",
        "wangzhe",
        "wang zhe",
        "王者 荣耀",
        "王者-荣耀",
        "hok",
        "ＨＯＫ",
    ],
)
def test_a_product_is_found_by_every_way_of_calling_it(query):
    assert found(query)[0] == "hok"


@pytest.mark.parametrize(
    "query", ["rongyao", "ry", "荣耀", "kings", "Honor Kings", "王者荣耀充值", "买王者荣耀", "买hok"]
)
def test_a_part_of_a_name_or_a_name_inside_the_query_is_enough(query):
    assert found(query) == ["hok"]


@pytest.mark.parametrize("query", ["ongyao", "ings", "x", "不存在", "zzzz", "", "   ", "！？。", "\u200b", "_"])
def test_what_names_nothing_finds_nothing(query):
    assert found(query) == []


def test_a_single_letter_only_begins_a_name():
    assert found("e") == []
    assert found("h") == ["hok", "peace"]


def test_a_single_chinese_character_is_found_inside_a_name():
    assert found("鸡") == ["peace"]


def test_words_may_come_from_name_and_context():
    assert found("steam 50") == ["steam"]
    assert found("月卡 绿钻") == ["qqmusic"]
    assert found("绿钻月卡") == ["qqmusic"]
    assert found("腾讯") == ["peace", "qqmusic"]
    assert found("tengxun") == ["peace", "qqmusic"]
    assert found("绿钻 季卡") == ["qqmusic"]


def test_a_generic_word_after_a_name_does_not_hide_it():
    assert found("爱奇艺会员") == ["iqiyi"]


def test_better_answers_come_first_and_equal_ones_keep_their_order():
    shelf = [
        ("words", search_text(name="卡面 星河")),
        ("named", search_text(name="星河")),
        ("inside", search_text(name="大星河卡")),
        ("prefix", search_text(name="星河卡册")),
        ("exact", search_text(name="别的", aliases=["星河卡"])),
        ("exact too", search_text(name="星河卡")),
    ]
    assert rank("星河卡", shelf) == ["exact", "exact too", "prefix", "inside", "named"]
    assert rank("星河 卡", [*reversed(shelf)]) == ["exact too", "exact", "prefix", "inside", "words", "named"]


def test_only_the_beginning_of_a_query_is_read():
    padded = "王者荣耀" + "长" * (MAX_QUERY * 1000)
    started = time.perf_counter()
    assert found(padded) == ["hok"]
    assert time.perf_counter() - started < 0.2
    assert found("\ufdfa" * 10_000) == []
    assert found("王者" + " " * MAX_QUERY + "不存在") == ["hok"]


def test_folding_leaves_only_letters_and_digits_in_one_form():
    assert fold(" ＨＯＫ・Ｃafé-№7 ") == "hokcafeno7"


def test_queries_do_not_load_pypinyin():
    program = (
        "import sys; from catalog.search import rank\n"
        "assert rank('wzry', [(1, '王者荣耀\\n\\nwangzherongyao\\nwzry\\n\\n\\n\\n')]) == [1]\n"
        "assert 'pypinyin' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True).stderr == ""


def test_a_product_without_chinese_has_no_readings():
    assert search_text(name="Roblox") == "roblox\n\n\n\n\n\n"


def test_a_product_without_a_search_text_is_passed_over():
    assert rank("steam", [("new", ""), *SHELF]) == ["steam"]


def test_words_end_where_the_script_changes():
    assert words_of("王者60点券 Steam-50ＵＳＤ") == ["王者", "60", "点券", "steam", "50", "usd"]


@given(st.text(max_size=200))
def test_any_query_is_answered_without_an_error(query):
    assert set(found(query)) <= {key for key, _ in SHELF}


@given(st.text(max_size=80))
def test_folding_twice_is_folding_once(text):
    assert fold(fold(text)) == fold(text)


@given(st.text(min_size=1, max_size=30))
def test_a_product_is_found_by_its_own_name(name):
    assert rank(name, [(1, search_text(name=name))]) == ([1] if fold(name) else [])
