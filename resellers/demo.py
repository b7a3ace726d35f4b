"""The three shops of a demo installation, as data: the house shop and two sub-sites, each with a focus of its own."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class DemoRule:
    """A price rule: for one category or one variant, by slug or sku, or for the whole shop where both are empty."""

    kind: Literal["percent", "fixed"]
    value: Decimal
    rounding: Literal["none", "jiao", "half", "yuan", "nine"] = "none"
    category: str = ""
    sku: str = ""


@dataclass(frozen=True, slots=True)
class DemoShop:
    """A shop to open. `categories` are its shelves, all where empty; `logo` is a mark in `static/icons/shops/`."""

    slug: str
    name: str
    name_en: str
    tagline: str
    tagline_en: str
    brand_color: str
    radius: Literal["square", "normal", "round"]
    logo: str
    announcement: str
    announcement_en: str
    support: str
    hosts: tuple[str, ...]
    rules: tuple[DemoRule, ...]
    categories: tuple[str, ...] = ()
    is_house: bool = False
    #: Well formed and nobody's: no region has the code 000000.
    company: str = ""
    credit_code: str = ""
    telecom_license: str = ""
    icp: str = ""
    license_url: str = ""


HOUSE = DemoShop(
    slug="house",
    name="卡盟直营",
    name_en="Kameng Direct",
    tagline="游戏、话费、会员、礼品卡，付款后直接到账",
    tagline_en="Games, phone credit, memberships and gift cards, delivered as soon as you pay",
    brand_color="#0B62D6",
    radius="normal",
    logo="house",
    announcement="本站只卖正规渠道商品，没到账自动原路退款。",
    announcement_en="Lawful sources only; what does not arrive is refunded automatically.",
    support="service@house.example",
    hosts=("localhost", "house.localhost"),
    is_house=True,
    company="卡盟演示网络有限公司（虚构）",
    credit_code="91000000000000000K",
    telecom_license="京B2-00000000",
    icp="京ICP备00000000号-1",
    license_url="https://license.example/91000000000000000K",
    rules=(
        DemoRule("percent", Decimal("1.5"), "jiao"),
        DemoRule("percent", Decimal("0.4"), "jiao", category="phone-credit"),
        DemoRule("percent", Decimal("5"), "jiao", category="mobile-data"),
        DemoRule("percent", Decimal("8"), "jiao", category="video"),
        DemoRule("percent", Decimal("8"), "jiao", category="audio-reading"),
        DemoRule("percent", Decimal("8"), "jiao", category="tools-cloud"),
        DemoRule("percent", Decimal("6"), "yuan", category="software"),
        DemoRule("percent", Decimal("8"), "jiao", category="education"),
    ),
)

QINGHE = DemoShop(
    slug="qinghe",
    name="青禾充值",
    name_en="Qinghe Top-up",
    tagline="话费、流量、会员、吃喝出行，生活充值一站办",
    tagline_en="Phone credit, data, memberships, food and travel in one place",
    brand_color="#0B7A4F",
    radius="round",
    logo="qinghe",
    announcement="会员都是一次性开通，不会自动续费。",
    announcement_en="Memberships are one-off purchases and never renew automatically.",
    support="hello@qinghe.example",
    hosts=("qinghe.localhost",),
    categories=(
        "phone-credit", "mobile-data", "video", "audio-reading", "tools-cloud", "shopping", "food-travel", "education",
        "social",
    ),
    rules=(
        DemoRule("percent", Decimal("6"), "nine"),
        DemoRule("fixed", Decimal("0.05"), category="phone-credit"),
        DemoRule("percent", Decimal("3"), "half", category="mobile-data"),
        DemoRule("percent", Decimal("1"), "jiao", category="shopping"),
        DemoRule("percent", Decimal("1.2"), "jiao", category="food-travel"),
        DemoRule("fixed", Decimal("0.50"), "jiao", sku="iqiyi-gold-month"),
    ),
)  # fmt: skip

YUEYOU = DemoShop(
    slug="yueyou",
    name="悦游点卡",
    name_en="Yueyou Game Cards",
    tagline="手游、端游、国际服点券和点卡，专做游戏",
    tagline_en="Tokens and cards for mobile, PC and international games, and nothing else",
    brand_color="#D9480F",
    radius="square",
    logo="yueyou",
    announcement="充值前请核对编号和区服，到账后不能撤回。",
    announcement_en="Check ID and server before you pay; what has arrived cannot be taken back.",
    support="play@yueyou.example",
    hosts=("yueyou.localhost",),
    categories=("mobile-games", "pc-games", "global-games", "game-cards"),
    rules=(
        DemoRule("percent", Decimal("3"), "jiao"),
        DemoRule("fixed", Decimal("0.20"), "jiao", category="pc-games"),
        DemoRule("percent", Decimal("4"), "jiao", category="global-games"),
        DemoRule("percent", Decimal("1.5"), "yuan", category="game-cards"),
        DemoRule("fixed", Decimal("0.30"), sku="hok-600"),
    ),
)

SHOPS = (HOUSE, QINGHE, YUEYOU)
