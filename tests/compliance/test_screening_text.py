"""Folding keeps places: whatever is found is a slice of the original. Without a database."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from compliance.screening.book import built_in_book
from compliance.screening.engine import screen
from compliance.screening.listing import Subject
from compliance.screening.readings import sounds_of, spelling_of, taken_apart, units_of
from compliance.screening.text import Folded, fold

PIECES = st.sampled_from(
    [
        *(
            "外",
            "挂",
            "外挂",
            "VPN",
            "v",
            "p",
            "n",
            "共享账号",
            "会员",
            "破",
            "jie",
            "点",
            "點",
            "Ａ",
            "½",
            "e\u0301",
            "a*b",
            "p0rn",
        ),
        *("\u200b", "\u202e", " ", ".", "\n", "\x00", "\ud83c", "<b>", "</b>", "<", "&amp;", "&#22806;"),
        *("❤️", "🍉", "🇻", "😀"),
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=14).map("".join), st.text(max_size=40))
#: What is put into words to hide them. A blank is one of them where the characters around it stand by themselves.
SIGNS = st.text(st.sampled_from("\u200b\u200d\ufeff\u00ad\u202e.*-_/|·~❤★ "), max_size=4)


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_what_is_found_is_a_slice_of_the_original(text: str) -> None:
    fields = {"title": text, "description": text, "variants[0]": text}
    for finding in screen(Subject(title=text, description=text, variants=(text,)), built_in_book()).findings:
        for span in (finding.span, *finding.because):
            assert span
            assert 0 <= span.start < span.end <= len(text)
            assert span.text == fields[span.field][span.start : span.end]


@given(TEXTS)
@settings(max_examples=60, deadline=None)
def test_each_folded_character_has_its_place(text: str) -> None:
    folded = Folded(text)
    assert len(folded.plain) == len(folded.plain_spans)
    assert "".join(folded.plain[place] for place in folded.places) == folded.skeleton
    starts = [start for start, _ in folded.plain_spans]
    assert starts == sorted(starts)
    assert fold(folded.skeleton) == folded.skeleton
    units = units_of(folded.plain)
    assert len(units) == len(sounds_of(folded.plain))
    assert all(one.end <= other.start for one, other in pairwise(units))


@given(st.sampled_from(["外挂", "共享账号", "翻墙", "虚拟货币", "裸聊", "百家乐"]), st.data())
@settings(max_examples=100, deadline=None)
def test_signs_between_characters_hide_nothing(term: str, data: st.DataObject) -> None:
    written = "".join(char + data.draw(SIGNS) for char in term[:-1]) + term[-1]
    screening = screen(Subject(title=f"netflix {written} 稳定"), built_in_book())
    assert any(finding.span and fold(finding.span.text) == term for finding in screening.findings)


def test_pinyin_is_taken_apart_as_it_is_read() -> None:
    assert taken_apart("waiguafuzhu") == ("wai", "gua", "fu", "zhu")
    assert [taken_apart(word) for word in ("vpn", "steam", "x", "a" * 50)] == [(), (), (), ()]
    assert sounds_of("坡jie") == sounds_of("破解") == sounds_of("po 解")
    assert (spelling_of("外挂"), spelling_of("外x")) == ("waigua", None)
