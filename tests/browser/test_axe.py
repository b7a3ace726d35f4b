"""The look-out for colors sees each look once, and every bad one each time."""

import pytest
from playwright.sync_api import Browser

from tests.browser.axe import violations

pytestmark = pytest.mark.browser

_PAGE = """<!doctype html><html lang="en"><head><title>t</title><style>
body {{ background: #fff; color: #000 }}
@media (prefers-color-scheme: dark) {{ body {{ background: #111; color: {dark} }} }}
</style></head><body><main><h1>Title</h1><p>Good</p><p style="color: {color}">Text</p></main></body></html>"""


def test_a_color_that_is_hard_to_read_is_found_each_time_and_in_each_scheme(chromium: Browser) -> None:
    page = chromium.new_page()

    def found(color: str, dark: str) -> list[str]:
        page.set_content(_PAGE.format(color=color, dark=dark))
        return [said.split(":")[0] for said in violations(page)]

    assert found("inherit", "#eee") == []
    bad = ["light color-contrast"]
    assert found("#bbb", "#eee") == found("#bbb", "#eee") == bad
    assert set(found("inherit", "#333")) == {"dark color-contrast"}
    assert found("inherit", "#eee") == []
    page.close()
