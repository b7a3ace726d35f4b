"""What the shop's templates and its stylesheet promise, whatever page is drawn."""

import re
from pathlib import Path

import pytest

from resellers import theme
from resellers.theme import contrast

ROOT = Path(__file__).parents[2]
TEMPLATES = sorted([*(ROOT / "templates" / "shop").rglob("*.html"), *(ROOT / "templates").glob("*.html")])
CSS = (ROOT / "static" / "css" / "shop.css").read_text(encoding="utf-8")
SCRIPTS = ROOT / "static" / "js"
#: Pages that are the same for everybody hold no token; these two forms are checked by where they come from.
WITHOUT_TOKEN = {"checkout", "set_language"}

per_template = pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"(--[a-z0-9-]+): ([^;]+);", block))


def block_after(start: str) -> str:
    return CSS.split(start, 1)[1].split("}", 1)[0]


LIGHT = tokens(block_after(":root {"))
DARK = tokens(block_after(':root[data-theme="dark"] {'))


@per_template
def test_nothing_in_a_template_needs_an_inline_script_or_style(template: Path) -> None:
    html = template.read_text(encoding="utf-8")
    assert not re.search(r"<style|\sstyle=|javascript:|<[^>]*\son[a-z]+=|\shx-on", html)
    assert all(" src=" in tag for tag in re.findall(r"<script[^>]*>", html))


@per_template
def test_every_form_that_changes_something_carries_a_token(template: Path) -> None:
    html = template.read_text(encoding="utf-8")
    for opening, inside in re.findall(r"<form([^>]*)>(.*?)</form>", html, re.DOTALL):
        if 'method="post"' in opening:
            target = re.search(r"{% url '(\w+)'", opening)
            exempt = target is not None and target[1] in WITHOUT_TOKEN
            assert ("{% csrf_token %}" in inside) is not exempt


@per_template
def test_nothing_comes_from_another_host(template: Path) -> None:
    assert not re.search(r"(src|href)=\"(https?:)?//", template.read_text(encoding="utf-8"))


def test_the_first_view_stays_light() -> None:
    assert len(CSS.encode()) <= 30 * 1024
    assert (SCRIPTS / "shop.js").stat().st_size <= 6 * 1024
    ours = sum((SCRIPTS / name).stat().st_size for name in ("theme.js", "shop.js", "waiting.js", "htmx.min.js"))
    assert ours <= 70 * 1024


def test_dark_is_the_same_by_the_systems_choice_and_by_the_visitors() -> None:
    assert tokens(block_after(':root:not([data-theme="light"]) {')) == DARK


def test_dark_changes_every_colour() -> None:
    def colours(known: dict[str, str]) -> set[str]:
        return {name for name, value in known.items() if value.startswith("#")}

    assert colours(LIGHT) == colours(DARK)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_is_readable_on_what_it_stands_on(scheme: dict[str, str]) -> None:
    def ratio(text: str, ground: str) -> float:
        return contrast(full(scheme[f"--{text}"]), full(scheme[f"--{ground}"]))

    for text in ("ink", "ink-2", "ink-3", "price", "brand-ink"):
        for ground in ("bg", "surface"):
            assert ratio(text, ground) >= 4.5, (text, ground)
    for tone in ("ok", "warn", "bad", "info"):
        assert ratio(tone, f"{tone}-weak") >= 4.5, tone
        assert ratio(tone, "surface") >= 4.5, tone
    assert ratio("ink-3", "surface-2") >= 4.5
    assert ratio("on-brand", "brand") >= 4.5
    assert ratio("line-strong", "surface") >= 3


def full(color: str) -> str:
    """`#fff` as `#FFFFFF`."""
    digits = color.removeprefix("#")
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits)).upper()


def test_themes_are_derived_for_the_surfaces_that_the_stylesheet_paints() -> None:
    assert (full(LIGHT["--bg"]), full(LIGHT["--surface"]), full(LIGHT["--ink"])) == (theme.PAGE, theme.WHITE, theme.INK)
    assert (full(DARK["--surface"]), full(DARK["--surface-2"])) == (theme.DARK_SURFACE, theme.DARK_RAISED)


def test_every_class_that_the_stylesheet_paints_is_used() -> None:
    painted = set(re.findall(r"\.([a-z][a-z0-9-]*)(?=[^{}]*{)", re.sub(r"/\*.*?\*/", "", CSS, flags=re.DOTALL)))
    drawn = "".join(path.read_text(encoding="utf-8") for path in TEMPLATES)
    drawn += (ROOT / "kameng" / "templatetags" / "shop.py").read_text(encoding="utf-8")
    drawn += (SCRIPTS / "theme.js").read_text(encoding="utf-8")
    unused = {name for name in painted if not re.search(rf"(?<![\w-]){name}(?![\w-])", drawn)}
    assert unused - {"tone-bad", "tone-info", "tone-neutral", "tone-ok", "tone-warn"} == set()
