"""Which regular expressions may stand in an account form. Pure, and read by the demo's data without Django.

A pattern has no groups and no nested repeats, so matching it never becomes slow, and it means the same to Python and,
with its v flag, to HTML's `pattern` attribute
(https://html.spec.whatwg.org/multipage/input.html#the-pattern-attribute).
"""

import re

SAFE_PATTERN = re.compile(r"([\w@\u4e00-\u9fff.]|\\\.|\[\^?[\w@<>.\\s]+(-[\w.]+)*\]|[?+]|\{[0-9]+(,[0-9]+)?\})+")
