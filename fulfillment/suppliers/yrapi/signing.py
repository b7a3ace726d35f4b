"""The family's signature: all parameters but `sign` sorted by name and joined as a query without escapes, the key
behind them, MD5 in upper-case hex (https://www.kancloud.cn/boyanyun/boyanyun_huafei/3097255, "签名说明")."""

import hashlib
import hmac
from collections.abc import Mapping


def signature(fields: Mapping[str, str], apikey: str) -> str:
    """The signature over the parameters."""
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields)) + f"&apikey={apikey}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest().upper()


def is_ambiguous(fields: Mapping[str, str]) -> bool:
    """Whether other parameters have the same signed text, which is not escaped: `a=1&b=2` is also one field `a` that
    holds `1&b=2`. Without `&` anywhere, and `=` in no name, there is only one way to read it."""
    return any("&" in name + value or "=" in name for name, value in fields.items())


def signed(fields: Mapping[str, str], claimed: str, apikey: str) -> bool:
    """Whether `claimed` is the signature of the parameters, and of no other ones."""
    expected = signature(fields, apikey)
    return not is_ambiguous(fields) and hmac.compare_digest(expected.encode(), claimed.encode())
