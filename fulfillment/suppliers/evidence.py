"""What was asked and answered, short and safe to keep: an operator must be able to judge an attempt from it.

Nothing is shown because it looks harmless; only named fields are. A reply that cannot be read is described, not quoted,
because a truncated one may break off in the middle of a code.
"""

import hashlib
import html
import json
import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from kameng.core.http import HttpFailure, Reply

LIMIT = 2000
HIDDEN = "…"
_WORD = re.compile(r"[A-Za-z0-9_+/=-]{5,}")
_TITLE = re.compile(rb"<title[^>]*>([^<]{1,200})", re.IGNORECASE)
_KEY = re.compile(r"[A-Za-z_]{1,40}")
_PLAIN = re.compile(r"[\w .:+-]{0,64}", re.ASCII)


def masked(value: str) -> str:
    """An account so that its owner recognises it and nobody else learns it: 138****0000, ab****yz."""
    if value.isdigit() and len(value) == 11:
        return f"{value[:3]}****{value[-4:]}"
    return f"{value[:2]}****{value[-2:]}" if len(value) >= 8 else "****"


def scrubbed(text: str) -> str:
    """A supplier's sentence without anything in it that could be a code, a key or an account."""

    def hide(match: re.Match[str]) -> str:
        word = match.group()
        return HIDDEN if any(map(str.isdigit, word)) or word.isupper() or len(word) > 24 else word

    return _WORD.sub(hide, "".join(char if char.isprintable() else " " for char in text))[:200]


class Evidence:
    """The course of one call. `plain` are the keys of numbers and states to show as they are, `words` those of
    sentences; `secrets` and the values of `account` do not appear wherever they turn up."""

    def __init__(
        self, *, plain: frozenset[str], words: frozenset[str], secrets: Iterable[str], account: Mapping[str, str]
    ) -> None:
        self._plain = plain
        self._words = words
        self._secrets = tuple(secret for secret in secrets if secret)
        self._account = tuple(value for value in account.values() if value)
        self._lines: list[str] = []

    def sent(self, call: str, fields: Mapping[str, object]) -> None:
        """The request: its name and what was asked."""
        self._lines.append(f"→ {call} {self._shown(fields)}")

    def replied(self, reply: Reply, fields: Mapping[str, object] | None = None) -> None:
        """The reply; `fields` if it could be read."""
        if fields is not None:
            self._lines.append(f"← {reply.status} {self._shown(fields)}")
            return
        title = _TITLE.search(reply.body[:10_000])
        about = f" «{scrubbed(html.unescape(title[1].decode(errors='replace')).strip())}»" if title else ""
        digest = hashlib.sha256(reply.body).hexdigest()[:12]
        self._lines.append(f"← {reply.status} {len(reply.body)} bytes, sha256 {digest}{about}")

    def silent(self, failure: HttpFailure) -> None:
        """No reply."""
        self._lines.append(f"← {type(failure).__name__}: {self.said(str(failure))}")

    def said(self, sentence: object) -> str:
        """A supplier's sentence, fit for `Outcome.message`."""
        return self._without(scrubbed(sentence)) if isinstance(sentence, str) else ""

    def text(self, items: Iterable[str] = ()) -> str:
        """Everything so far; `items` are codes that must not be in it."""
        whole = self._without("\n".join(self._lines))
        for item in items:
            whole = whole.replace(item, HIDDEN)
        return whole if len(whole) <= LIMIT else whole[: LIMIT - 1] + HIDDEN

    def _without(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        for value in self._account:
            if len(value) >= 4:
                text = text.replace(value, masked(value))
        return text

    def _shown(self, fields: Mapping[str, object]) -> str:
        return json.dumps(self._visible(fields, "", 0), ensure_ascii=False, separators=(",", ":"))

    def _visible(self, value: object, key: str, depth: int) -> object:
        if isinstance(value, Mapping) and depth < 4:
            shown = [(str(name), inner) for name, inner in list(value.items())[:30]]
            return {
                name if _KEY.fullmatch(name) else HIDDEN: self._visible(inner, name, depth + 1) for name, inner in shown
            }
        if isinstance(value, list) and depth < 4:
            return [self._visible(inner, key, depth + 1) for inner in value[:3]] + [HIDDEN] * (len(value) > 3)
        if value is None or isinstance(value, bool):
            return value
        if str(value) in self._account:
            return masked(str(value))
        if key in self._plain and isinstance(value, int | Decimal | str):
            return str(value) if _PLAIN.fullmatch(str(value)) else HIDDEN
        if key in self._words and isinstance(value, int | str):
            return scrubbed(str(value))
        return HIDDEN
