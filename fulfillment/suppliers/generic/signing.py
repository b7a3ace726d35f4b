"""How small suppliers sign: fields put together, the secret somewhere, a digest in hexadecimal digits."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from fulfillment.suppliers.generic.reader import Place


class Algorithm(StrEnum):
    """What makes the digest."""

    MD5 = "md5"
    SHA256 = "sha256"
    HMAC_MD5 = "hmac-md5"
    HMAC_SHA256 = "hmac-sha256"


class Join(StrEnum):
    """`PAIRS` is `name=value`, `VALUES` the values alone."""

    PAIRS = "pairs"
    VALUES = "values"


class SecretPlace(StrEnum):
    """Where the secret goes in the text. `NONE` only where it is the key of an HMAC."""

    APPEND = "append"
    PREPEND = "prepend"
    BOTH = "both"
    NONE = "none"


class Case(StrEnum):
    """Of the digits a to f."""

    LOWER = "lower"
    UPPER = "upper"


_KEYED = {Algorithm.HMAC_MD5: "md5", Algorithm.HMAC_SHA256: "sha256"}
_PLAIN = {Algorithm.MD5: "md5", Algorithm.SHA256: "sha256"}
_KNOWN = frozenset(
    {"algorithm", "fields", "join", "separator", "secret_place", "secret_name", "case", "skip_empty", "field", "header"}
)


@dataclass(frozen=True)
class Recipe:
    """One way to sign. `fields` None means all there are, sorted by name; a list keeps its order."""

    algorithm: Algorithm
    fields: tuple[str, ...] | None
    join: Join
    separator: str
    secret_place: SecretPlace
    secret_name: str
    case: Case
    skip_empty: bool
    #: Where the signature goes: a field, or else a header.
    field: str
    header: str

    def sign(self, fields: Mapping[str, str], secret: str) -> str:
        """The signature over fields, of which its own is none."""
        names = sorted(fields) if self.fields is None else self.fields
        kept = [
            (name, fields.get(name, ""))
            for name in names
            if name != self.field and (fields.get(name, "") or not self.skip_empty)
        ]
        pieces = [f"{name}={value}" if self.join is Join.PAIRS else value for name, value in kept]
        written = f"{self.secret_name}={secret}" if self.secret_name else secret
        glue = self.separator if self.secret_name else ""
        text = self.separator.join(pieces)
        if self.secret_place in {SecretPlace.PREPEND, SecretPlace.BOTH}:
            text = written + glue + text
        if self.secret_place in {SecretPlace.APPEND, SecretPlace.BOTH}:
            text = text + glue + written
        if self.algorithm in _KEYED:
            digest = hmac.new(secret.encode(), text.encode(), _KEYED[self.algorithm]).hexdigest()
        else:
            digest = hashlib.new(_PLAIN[self.algorithm], text.encode(), usedforsecurity=False).hexdigest()
        return digest.upper() if self.case is Case.UPPER else digest

    def signed(self, fields: Mapping[str, str], claimed: str, secret: str) -> bool:
        """Whether `claimed` is the signature over the fields; in either case of its digits."""
        expected = self.sign(fields, secret).lower()
        return hmac.compare_digest(expected.encode(), claimed.lower().encode())

    def covers(self, name: str) -> bool:
        """Whether a field is signed."""
        return self.fields is None or name in self.fields


def recipe(place: Place) -> Recipe:
    """A recipe as written. Raises `SupplierMisconfigured`, above all for one that leaves the secret out."""
    given = place.object(_KNOWN, needs=frozenset({"algorithm"}))
    algorithm = given["algorithm"].choice(Algorithm)
    fields: tuple[str, ...] | None = None
    if "fields" in given and given["fields"].value != "all":
        if not isinstance(given["fields"].value, list):
            raise given["fields"].wrong('must be "all" or a list of names')
        fields = tuple(one.text() for one in given["fields"].each())
        if len(set(fields)) != len(fields):
            raise given["fields"].wrong("names a field twice")
    keyed = algorithm in _KEYED
    default = SecretPlace.NONE if keyed else SecretPlace.APPEND
    secret_place = given["secret_place"].choice(SecretPlace) if "secret_place" in given else default
    if secret_place is SecretPlace.NONE and not keyed:
        raise given["secret_place"].wrong("a plain digest without the secret proves nothing; only hmac may say none")
    if "field" in given and "header" in given:
        raise given["header"].wrong("the signature goes to a field or to a header, not to both")
    if "field" not in given and "header" not in given:
        raise Place(None, f"{place.path}.field").wrong("is missing, and so is header: the signature goes nowhere")
    separator = given["separator"].text(empty=True) if "separator" in given else "&"
    if len(separator) > 3:
        raise given["separator"].wrong("must be three characters at most")
    return Recipe(
        algorithm=algorithm,
        fields=fields,
        join=given["join"].choice(Join) if "join" in given else Join.PAIRS,
        separator=separator,
        secret_place=secret_place,
        secret_name=given["secret_name"].text() if "secret_name" in given else "",
        case=given["case"].choice(Case) if "case" in given else Case.LOWER,
        skip_empty=given["skip_empty"].flag() if "skip_empty" in given else True,
        field=given["field"].text() if "field" in given else "",
        header=given["header"].text().lower() if "header" in given else "",
    )
