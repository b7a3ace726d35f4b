"""What is found in a listing, where, and what is not; without a database."""

import time
from decimal import Decimal
from typing import Any

import pytest

from compliance.screening.book import Book, built_in_book
from compliance.screening.brands import distance
from compliance.screening.engine import MAX_FINDINGS, screen
from compliance.screening.labelled import HELD_OUT, TUNING, labelled
from compliance.screening.likeness import learn
from compliance.screening.listing import Screening, Subject, Verdict
from compliance.screening.rules import Category, Rule, Severity, built_in_groups


def screened(title: str, **more: object) -> Screening:
    return screen(Subject(title=title, **more), built_in_book())  # type: ignore[arg-type]


def own(title: str, *, description: str = "", **rule: Any) -> Screening:
    """Screened by one rule of our own."""
    made = Rule("own", Category.GAME_CHEAT, Severity.MEDIUM, **rule)
    return screen(Subject(title=title, description=description), Book([made], built_in_groups()))


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("和平精英外挂", "外挂"),
        ("和平精英外\u200b挂 天卡", "外\u200b挂"),
        ("和平精英 外.挂 天卡", "外.挂"),
        ("和平精英 外 挂 天卡", "外 挂"),
        ("和平精英外❤️挂", "外❤️挂"),
        ("和平精英外\n挂\n", "外\n挂"),
        ("和平精英 外掛", "外掛"),
        ("和平精英 ｗａｉｇｕａ 天卡", "ｗａｉｇｕａ"),
        ("和平精英外gua", "外gua"),
        ("和平精英wài挂", "wài挂"),
        ("和平精英外褂", "外褂"),
        ("和平精英 外扌圭", "外扌圭"),
        ("和平精英 外🍉", "外🍉"),
        ("和平精英外\u202e\u200f挂", "外\u202e\u200f挂"),
        ("和平精英外<b>挂</b>", "外<b>挂"),
        ("和平精英&#22806;&#25346;", "&#22806;&#25346;"),
        ("ＶＰＮ 年卡", "ＶＰＮ"),
        ("ⅤΡＮ 年卡", "ⅤΡＮ"),
        ("V.P.N 年卡", "V.P.N"),
        ("🇻🇵🇳 年卡", "🇻🇵🇳"),
        ("cгасk 软件", "cгасk"),
        ("𝗨𝗦𝗗𝗧 秒到", "𝗨𝗦𝗗𝗧"),
        ("坡jie版 软件", "坡jie版"),
        ("b1tc0in 出", "b1tc0in"),
    ],
)
def test_a_word_is_found_below_the_tricks_and_shown_as_it_was_written(title: str, text: str) -> None:
    screening = screened(title)
    assert screening.verdict is Verdict.BLOCKED
    spans = [finding.span for finding in screening.findings if finding.span]
    assert all(title[span.start : span.end] == span.text for span in spans)
    assert text in [span.text for span in spans]


@pytest.mark.parametrize(
    "title",
    [
        "外挂硬盘 2TB 移动硬盘",
        "国外 挂号 服务",
        "共享汽车 代金券",
        "破解密码 桌游",
        "数据透视表 Excel 课程",
        "成人高考 网课",
        "婆姐 酸菜鱼",
        "家政 保洁",
        "Windows 11 专业版 正版授权 激活码",
        "腾讯视频 VIP 官方直充 非共享号",
        "原神 原石 6480",
        "Q币 100",
        "王者荣耀 点券 60点",
        "ivpnx 服务",
        "爱奇艺 独播剧 会员 官方",
        "Steam 钱包 阿根廷区 官方 礼品卡",
    ],
)
def test_a_word_that_means_something_else_is_let_go(title: str) -> None:
    assert screened(title) == Screening(Verdict.CLEAR, ())


@pytest.mark.parametrize(
    "title",
    [
        "外挂 体验券",
        "外挂体验券 30元",
        "辅助 教学课程",
        "吃鸡辅助 体验券",
        "翻墙 课程",
        "私服 门票",
        "代开发票 兑换券",
        "破解版 代金券",
    ],
)
def test_a_voucher_or_a_lesson_for_nothing_but_what_a_rule_names_is_for_a_person(title: str) -> None:
    assert screened(title).verdict is Verdict.FLAGGED


def test_what_makes_a_voucher_suspicious_may_stand_in_another_field() -> None:
    found = screened(
        "代练 体验券", description="王者荣耀 上分", category="游戏服务", variants=("和平精英", "共享 账号")
    )
    assert found.verdict is Verdict.FLAGGED


def test_a_voucher_for_something_else_is_none_for_the_word_in_its_name() -> None:
    for title in ("外挂鱼缸 代金券", "代练字帖 书法 课程", "外挂硬盘 提货券", "私服 拍摄 写真 券", "反外挂 课程"):
        assert screened(title).verdict is Verdict.CLEAR, title


def test_a_description_may_warn_of_what_the_goods_are_not() -> None:
    warning = "严禁外挂。谨防诈骗！凡要求您购买卡密用于刷单、博彩、虚拟货币投资的都是骗子；请勿用于跑分、赌博充值"
    assert screened("王者荣耀 点券 60点 官方直充", description=warning).verdict is Verdict.CLEAR
    offer = "本店另售外挂，请勿用于非法用途。透视、自瞄、无后座"
    found = screened("游戏助手 周卡", description=offer)
    assert found.verdict is Verdict.BLOCKED
    assert "description" in {finding.span.field for finding in found.findings if finding.span}


def test_every_text_of_a_listing_is_looked_at() -> None:
    for name, value in {
        "announcement": "和平精英外挂",
        "instructions": "和平精英外挂",
        "variants": ("60 点", "和平精英外挂"),
        "form_labels": ("和平精英外挂",),
        "category": "游戏外挂",
    }.items():
        found = screened("商品", **{name: value})
        assert found.verdict is Verdict.BLOCKED
        assert {finding.span.field.partition("[")[0] for finding in found.findings if finding.span} == {name}


def test_context_makes_a_finding_and_takes_it_away() -> None:
    rule: dict[str, Any] = {"terms": ("透视",), "near": ("吃鸡", "@games"), "unless": ("课程",), "window": 6}
    assert own("吃鸡 透视", **rule).findings[0].because[0].text == "吃鸡"
    assert own("透视", **rule).verdict is Verdict.CLEAR
    assert own("吃鸡，以及别的很多事情，透视", **rule).verdict is Verdict.CLEAR
    assert own("吃鸡 透视 课程", **rule).verdict is Verdict.CLEAR
    assert own("吃鸡 透视", description="课程", **rule).verdict is Verdict.FLAGGED
    assert own("透视", description="吃鸡", terms=("透视",), near=("吃鸡",)).verdict is Verdict.FLAGGED
    assert own("透视 透视", terms=("透视",), near=("透视",)).verdict is Verdict.CLEAR


def test_a_phrase_around_a_term_lets_only_that_one_go() -> None:
    rule: dict[str, Any] = {"terms": ("外挂",), "but_not": ("外挂硬盘", "海外挂")}
    assert own("外挂硬盘，海外 挂号", **rule).verdict is Verdict.CLEAR
    found = own("外挂硬盘 外挂", **rule).findings
    assert [(finding.span.start, finding.span.end) for finding in found if finding.span] == [(5, 7)]


def test_exact_terms_are_found_in_no_other_characters() -> None:
    assert own("外褂", sounds=("外挂",)).verdict is Verdict.FLAGGED
    assert own("外褂", terms=("外挂",)).verdict is Verdict.CLEAR
    assert own("外gua", terms=("外挂",)).verdict is Verdict.FLAGGED
    assert own("外gua", exact=("外挂",)).verdict is Verdict.CLEAR
    assert own("外 挂", exact=("外挂",)).verdict is Verdict.FLAGGED


def test_a_title_is_suspected_for_how_it_reads_and_weak_signs_need_one_that_does_not_read_lawful() -> None:
    likeness = learn([("出甲乙丙丁戊己", Category.VPN), ("购子丑寅卯辰巳", None)] * 3)
    rule = Rule("weak", Category.GAMBLING, Severity.MEDIUM, terms=("某词",), weak=True)
    book = Book([rule], built_in_groups(), likeness)
    found = {
        title: [(finding.rule, finding.category) for finding in screen(Subject(title=title), book).findings]
        for title in (
            "出甲乙丙丁戊",
            "出甲乙丙丁戊 官方",
            "购子丑寅卯辰",
            "某词",
            "购子丑寅卯辰 某词",
            "出甲乙丙丁戊 某词",
        )
    }
    assert list(found.values()) == [
        [("reads-unlawful", Category.VPN)], [], [], [("weak", Category.GAMBLING)], [], [("weak", Category.GAMBLING)],
    ]  # fmt: skip
    assert not screen(Subject(title="别的", description="某词"), book).findings


@pytest.mark.parametrize(
    ("category", "price", "official", "rule"),
    [
        ("membership", "2", "25", "price-far-below-official"),
        ("membership", "12", "25", None),
        ("software", "9.9", "1817", "price-far-below-official"),
        ("phone", "65", "100", "price-far-below-official"),
        ("phone", "98", "100", None),
        ("", "1", "0", None),
        ("", "0", None, None),
    ],
)
def test_a_price_that_is_too_good_is_a_finding(
    category: str, price: str, official: str | None, rule: str | None
) -> None:
    found = screened(
        "月卡", category=category, price=Decimal(price), official_price=official and Decimal(official)
    ).findings
    assert [finding.rule for finding in found] == ([rule] if rule else [])


def test_an_amount_that_names_somebody_elses_account_does_not_fit_a_direct_charge() -> None:
    found = screened("爱奇艺 月卡 官方直充", kind="membership", variants=("月卡", "月卡 发账号密码")).findings
    assert "kind-mismatch" in {finding.rule for finding in found}
    assert not screened("爱奇艺 月卡 官方直充", kind="membership", variants=("月卡",)).findings


def test_a_name_close_to_a_protected_one_is_a_finding_unless_it_is_authorized() -> None:
    assert [finding.span and finding.span.text for finding in screened("Netf1ix 礼品卡 官方").findings] == ["Netf1ix"]
    assert not screened("Netflix 礼品卡 官方").findings
    for brand, found in {"Stean": True, "Steam": False, "爱奇异": True, "爱奇艺": False, "蓝天": False}.items():
        assert bool(screened("礼品卡 官方", brand=brand).findings) is found
    assert not screened("礼品卡 官方", brand="Stean", authorized=True).findings
    assert (distance("", ""), distance("abc", "abc"), distance("abcd", "abce")) == (0, 0, 0.25)


def test_a_seller_who_was_stopped_often_is_looked_at_first() -> None:
    cheat, vpn = Category.GAME_CHEAT, Category.VPN
    assert screened("周年礼包", against=(cheat, vpn)).verdict is Verdict.CLEAR
    (finding,) = screened("周年礼包", against=(vpn, cheat, vpn)).findings
    assert (finding.rule, finding.category, finding.severity, finding.span) == ("seller-history", vpn, "low", None)


def test_texts_of_any_size_are_bounded() -> None:
    began = time.process_time()
    for text in ("外挂" * 10_000, "<" * 20_000, "P0rnh*b " * 3_000, "外" + " " * 40_000 + "挂", "w a i g u a " * 3_000):
        assert len(screened("x", description=text).findings) <= MAX_FINDINGS
    many = screened("x", variants=tuple(f"外挂 {number}" for number in range(500)))
    assert len(many.findings) == MAX_FINDINGS
    assert time.process_time() - began < 10


def test_the_labelled_titles_are_many_and_of_every_category() -> None:
    for part, least in ((TUNING, 400), (HELD_OUT, 200)):
        rows = [row for row in labelled() if row.part == part]
        unlawful = [row for row in rows if row.expected]
        assert len(unlawful) >= least
        assert len(rows) - len(unlawful) >= least
        assert {row.expected for row in unlawful} == set(Category)


def test_an_abbreviation_inside_somebodys_number_is_none() -> None:
    def caught(title: str) -> list[str]:
        return [finding.span.text for finding in screened(title).findings if finding.span]

    assert caught("BC 代理 招商 秒收") == ["BC", "秒收"]
    assert caught("3139BC37 代理 招商 秒收") == ["秒收"]
    assert caught("沙箱商品 3139BC37A9C4F947") == []
