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
#: Looking at colors takes axe seconds, and most texts look like one that it has seen: the same colors down to an opaque
#: ground, size and weight, link or not, in the same kind of layer above others. Of each look, the first text is marked.
_LOOKS = """() => {
  const looks = {};
  for (const element of document.body.querySelectorAll('*')) {
    const says = [...element.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim());
    if (!says && !element.matches('input, select, textarea')) continue;
    const style = getComputedStyle(element);
    const parent = element.closest('a') && element.closest('a').parentElement;
    const look = [style.color, style.fontSize, style.fontWeight, style.textShadow, element.matches(':disabled'),
      parent && [getComputedStyle(parent).color, style.textDecorationLine, style.borderBottom].join()];
    for (let one = element; one; one = one.parentElement) {
      const {backgroundColor, backgroundImage, opacity, filter, position} = getComputedStyle(one);
      look.push(backgroundColor, backgroundImage, opacity, filter);
      if (position === 'absolute' || position === 'fixed') look.push(position, one.tagName, one.className);
      if (/^rgb\\(/.test(backgroundColor) && position === 'static') break;
    }
    (looks[look.join('|')] ||= element).dataset.axeLook ||= Object.keys(looks).length;
  }
  return Object.fromEntries(Object.entries(looks).map(([look, element]) => [look, element.dataset.axeLook]));
}"""
_UNMARK = """() => document.querySelectorAll('[data-axe-look]').forEach(element => delete element.dataset.axeLook)"""
#: What frames every page of an admin is as large as what it frames, and the same but for the mark of where one is.
_FRAMES = """() => [...document.querySelectorAll('nav, aside, footer')]
  .filter(frame => !frame.parentElement.closest('nav, aside, footer'))
  .map((frame, number) => {
    frame.dataset.axeFrame = number;
    const said = frame.outerHTML.replace(/ (class|aria-current|data-axe-\\w+)="[^"]*"/g, '');
    return innerWidth + ' ' + frame.checkVisibility() + ' ' + said;
  })"""
_UNFRAME = """() => document.querySelectorAll('[data-axe-frame]').forEach(frame => delete frame.dataset.axeFrame)"""
#: Looks and frames that have passed, in this process.
_passed: set[str] = set()


def violations(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What stands in somebody's way, in words; by these rules or all, colors in light and in dark."""
    only: dict[str, Any] = {"runOnly": list(rules)} if rules else {}
    page.evaluate(_AXE.axe_script)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    found = _everything(page, {"rules": {color: {"enabled": False} for color in COLORS}, **only})
    found += _colors(page, "light")
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    found += _colors(page, "dark")
    page.emulate_media(color_scheme="light")
    return found


def _everything(page: Page, options: dict[str, Any]) -> list[str]:
    """All but colors. With `runOnly`, each rule looks at one element by itself, and frames that have passed are left
    out; advice on the whole page is asked of the whole page."""
    frames: list[str] = page.evaluate(_FRAMES) if "runOnly" in options else []
    known = [[f'[data-axe-frame="{number}"]'] for number, frame in enumerate(frames) if frame in _passed]
    found = _broken(page, "everything", {"exclude": known} if known else "document", options)
    page.evaluate(_UNFRAME)
    if not found:
        _passed.update(frames)
    return found


def _colors(page: Page, label: str) -> list[str]:
    looks: dict[str, str] = page.evaluate(_LOOKS)
    new = {look: number for look, number in looks.items() if look not in _passed}
    found = []
    if new:
        where = {"include": [[f'[data-axe-look="{number}"]'] for number in new.values()]}
        found = _broken(page, label, where, {"runOnly": COLORS})
    page.evaluate(_UNMARK)
    if not found:
        _passed.update(new)
    return found


def _broken(page: Page, label: str, where: Any, options: dict[str, Any]) -> list[str]:
    broken = page.evaluate(
        "([where, options]) => axe.run(where === 'document' ? document : where, options)"
        ".then(results => results.violations)",
        [where, {"resultTypes": ["violations"], **options}],
    )
    return [
        f"{label} {rule['id']}: {node['target']} {node['failureSummary']}" for rule in broken for node in rule["nodes"]
    ]
