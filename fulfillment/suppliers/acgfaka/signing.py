"""acg-faka's signature: the fields that are not empty, sorted by name, as PHP's `http_build_query` writes them, `&key=`
and the key behind; the whole url-decoded, MD5 in lower-case hex (https://github.com/lizhipay/acg-faka,
`app/Util/Str.php`, `generateSignature`).

Decoding undoes the encoding of the fields but is also done to the key, which was never encoded: a `+` in it counts as a
space. Arrays are written with PHP's brackets. No time is signed, and the key itself is among the fields.
"""

import hashlib
from collections.abc import Iterator, Mapping
from urllib.parse import unquote_to_bytes

Fields = Mapping[str, str | Mapping[str, str]]


def flat(fields: Fields) -> Iterator[tuple[str, str]]:
    """Names and texts as a form holds them; arrays as `sku[color]`."""
    for name, value in fields.items():
        if isinstance(value, str):
            yield name, value
        else:
            yield from ((f"{name}[{inner}]", text) for inner, text in value.items())


def signature(fields: Fields, key: str) -> str:
    """The signature over a request's fields without `sign`."""
    kept = {name: value for name, value in sorted(fields.items()) if name != "sign" and value != ""}
    text = "&".join(f"{name}={value}" for name, value in flat(kept)).encode()
    secret = unquote_to_bytes(key.replace("+", " "))
    return hashlib.md5(text + b"&key=" + secret, usedforsecurity=False).hexdigest()
