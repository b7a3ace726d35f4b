"""One colour in, readable tokens out: for any colour, in both schemes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resellers.theme import (
    DARK_RAISED,
    DARK_SURFACE,
    INK,
    PAGE,
    RADII,
    WHITE,
    Theme,
    contrast,
    derive,
    stylesheet,
)

#: Rule 1.4.3 of WCAG 2.2 for text.
TEXT = 4.5
LIGHT_PRICE, DARK_PRICE, DARK_PAGE, DARK_TEXT = "#BC2A07", "#FF9B7D", "#0E1217", "#EEF2F7"

colors = st.integers(0, 0xFFFFFF).map(lambda number: f"#{number:06X}")


def test_contrast_of_black_and_white_is_twenty_one_either_way_round() -> None:
    assert round(contrast("#000000", WHITE), 6) == 21
    assert round(contrast(WHITE, "#000000"), 6) == 21
    assert contrast("#0B62D6", "#0B62D6") == 1


@given(colors)
def test_text_on_the_brand_colour_is_readable_also_under_the_pointer(color: str) -> None:
    theme = derive(color)
    for palette in (theme.light, theme.dark):
        assert contrast(palette.on_brand, palette.brand) >= TEXT
        assert contrast(palette.on_brand, palette.brand_hover) >= TEXT


@given(colors)
def test_the_brand_colour_as_text_is_readable_on_every_surface(color: str) -> None:
    theme = derive(color)
    for surface in (PAGE, WHITE, theme.light.brand_weak):
        assert contrast(theme.light.brand_ink, surface) >= TEXT
        assert contrast(theme.light.focus, surface) >= TEXT
    for surface in (DARK_PAGE, DARK_SURFACE, DARK_RAISED):
        assert contrast(theme.dark.brand_ink, surface) >= TEXT
        assert contrast(theme.dark.focus, surface) >= TEXT


@given(colors)
def test_prices_and_text_stay_readable_on_the_tint(color: str) -> None:
    theme = derive(color)
    assert contrast(LIGHT_PRICE, theme.light.brand_weak) >= TEXT
    assert contrast(INK, theme.light.brand_weak) >= TEXT
    assert contrast(DARK_PRICE, theme.dark.brand_weak) >= TEXT
    assert contrast(DARK_TEXT, theme.dark.brand_weak) >= TEXT


@given(colors)
def test_a_colour_that_white_or_ink_reads_well_on_is_used_as_chosen(color: str) -> None:
    theme = derive(color)
    assert theme.adjusted == (contrast(color, WHITE) < 4.5 and contrast(color, INK) < 6)
    assert (theme.light.brand == color) is not theme.adjusted


@pytest.mark.parametrize(
    ("chosen", "brand", "on_brand", "ink", "weak", "dark"),
    [
        ("#0B62D6", "#0B62D6", WHITE, "#0B62D6", "#EBF2FC", "#5B9DF7"),
        ("#0B7A4F", "#0B7A4F", WHITE, "#0B7A4F", "#EBF4F1", "#10B273"),
        ("#5B3FD0", "#5B3FD0", WHITE, "#5B3FD0", "#F2F0FB", "#A191E4"),
        ("#C2255C", "#C2255C", WHITE, "#C2255C", "#FAEEF2", "#E67BA1"),
        ("#D9480F", "#CF450E", WHITE, "#C1400D", "#FBF0EC", "#F37746"),
        ("#FFC53D", "#FFC53D", INK, "#8F6400", "#FFFAEF", "#FFC53D"),
        ("#1F2937", "#1F2937", WHITE, "#1F2937", "#EDEEEF", "#899FBD"),
    ],
)
def test_the_presets_give_known_tokens(chosen: str, brand: str, on_brand: str, ink: str, weak: str, dark: str) -> None:
    theme = derive(chosen)
    assert (theme.light.brand, theme.light.on_brand) == (brand, on_brand)
    assert (theme.light.brand_ink, theme.light.brand_weak) == (ink, weak)
    assert theme.dark.brand == dark


def test_lower_case_is_the_same_colour() -> None:
    assert derive("#ffc53d") == derive("#FFC53D")


@pytest.mark.parametrize("text", ["", "0B62D6", "#0B62D", "#0B62D61", "#0B62DG", "#0b62d6\n", "red", "#０B62D6"])
def test_anything_but_a_colour_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a colour"):
        derive(text)


@given(colors, st.sampled_from(sorted(RADII)))
def test_the_stylesheet_holds_tokens_and_nothing_else(color: str, radius: str) -> None:
    css = stylesheet(derive(color), radius=radius)
    assert len(css) <= 1024
    declared = re.findall(r"(--[a-z-]+):([^;}]+)", css)
    assert {name for name, _ in declared} == {
        "--brand", "--brand-hover", "--on-brand", "--brand-ink", "--brand-weak", "--focus",
        "--radius-s", "--radius", "--radius-l",
    }  # fmt: skip
    assert all(re.fullmatch(r"#[0-9A-F]{6}|\d+px", value) for _, value in declared)
    assert len(declared) == 6 * 3 + 3


def test_the_visitors_choice_wins_over_the_systems_scheme() -> None:
    theme: Theme = derive("#0B62D6")
    css = stylesheet(theme)
    assert "@media (prefers-color-scheme:dark){:root:not([data-theme=light]){--brand:#5B9DF7;" in css
    assert ":root[data-theme=dark]{--brand:#5B9DF7;" in css
    assert css.startswith(":root{--brand:#0B62D6;")


def test_an_unknown_radius_is_refused() -> None:
    with pytest.raises(KeyError):
        stylesheet(derive("#0B62D6"), radius="8px;}body{display:none")
