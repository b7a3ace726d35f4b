"""axe (https://github.com/dequelabs/axe-core) on a page as it is, in light and in dark."""

from collections.abc import Sequence
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
#: All that can differ between two color schemes of one document.
COLORS = ["color-contrast", "link-in-text-block"]
#: The rules of WCAG 2.2 AA, without the advice beyond it.
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_AXE = Axe()


def violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What stands in somebody's way, in words; in light by these rules or all, colors in dark as well."""
    page.evaluate(_AXE.axe_script)
    found = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if scheme == "dark":
            options["runOnly"] = COLORS
        elif rules:
            options["runOnly"] = list(rules)
        broken = page.evaluate("options => axe.run(options).then(results => results.violations)", options)
        found += [
            f"{scheme} {rule['id']}: {node['target']} {node['failureSummary']}"
            for rule in broken
            for node in rule["nodes"]
        ]
    page.emulate_media(color_scheme="light")
    return found
