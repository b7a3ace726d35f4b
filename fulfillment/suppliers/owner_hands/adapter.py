"""A shop's owner as the supplier of their own goods, by hand. No network; the attempt itself is the owner's list."""

from typing import ClassVar

from fulfillment.suppliers.manual.adapter import ManualAdapter


class OwnerHandsAdapter(ManualAdapter):
    """Takes every attempt and never ends one: the owner does, in their own admin, or the deadline
    (`fulfillment.by_owner`). Operators are not asked."""

    code: ClassVar[str] = "owner_hands"
    name: ClassVar[str] = "店主人工"
    when_unclear: ClassVar[str] = ""
