"""axe (https://github.com/dequelabs/axe-core) on a page as it is, in light and in dark."""

from collections.abc import Sequence
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

#: All that is told by looks alone, and so can differ between two color schemes of one document.
COLORS = ["color-contrast", "link-in-text-block"]
#: The rules of WCAG 2.2 AA, without the advice beyond it.
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
_AXE = Axe()
#: Of rows (or other siblings) that differ in nothing but words, addresses and names, the first one stays in sight: they
#: look alike, and looking at the colors of a hundred of them takes axe seconds. What stylesheets go by is no name.
_ONE_OF_EACH = """() => {
  const named = new RegExp('^(id|href|name|value|for|title|action|src|alt|d|content|datetime' +
    '|aria-(label|labelledby|describedby|controls)|data-(?!step|theme|look|label|soon).*|(hx-|x-|:|@).*)$');
  const look = element => [element, ...element.querySelectorAll('*')].map(one => one.tagName + [...one.attributes]
    .map(({name, value}) => named.test(name) ? name : name + '=' + value).join()).join('>');
  const repeated = [];
  for (const parent of document.querySelectorAll('table, tbody, ul, ol, dl, div, section')) {
    if (parent.children.length < 5) continue;
    const seen = new Set();
    for (const child of parent.children) {
      const {color, backgroundColor} = getComputedStyle(child);
      const looks = color + backgroundColor + look(child);
      if (seen.has(looks)) repeated.push(child);
      seen.add(looks);
    }
  }
  for (const child of repeated) {
    child.dataset.axeStyle = child.style.cssText;
    child.style.setProperty('display', 'none', 'important');
  }
  return repeated.length;
}"""
_ALL_AGAIN = """() => document.querySelectorAll('[data-axe-style]').forEach(child => {
  child.style.cssText = child.dataset.axeStyle;
  delete child.dataset.axeStyle;
})"""


def violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What stands in somebody's way, in words; by these rules or all, colors in light and in dark."""
    only: dict[str, Any] = {"runOnly": list(rules)} if rules else {}
    page.evaluate(_AXE.axe_script)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = []
    if page.evaluate(_ONE_OF_EACH):
        page.evaluate(_ALL_AGAIN)
        found += _broken(page, "everything", {"rules": {color: {"enabled": False} for color in COLORS}, **only})
        page.evaluate(_ONE_OF_EACH)
        found += _broken(page, "light", {"runOnly": COLORS})
    else:
        found += _broken(page, "light", only)
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found += _broken(page, "dark", {"runOnly": COLORS})
    page.evaluate(_ALL_AGAIN)
    page.emulate_media(color_scheme="light")
    return found


def _broken(page: Page, label: str, options: dict[str, Any]) -> list[str]:
    broken = page.evaluate(
        "options => axe.run(options).then(results => results.violations)", {"resultTypes": ["violations"], **options}
    )
    return [
        f"{label} {rule['id']}: {node['target']} {node['failureSummary']}" for rule in broken for node in rule["nodes"]
    ]
