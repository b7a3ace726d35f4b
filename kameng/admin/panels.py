"""Parts of a thing's own page that later stages add to it: money and goods on the page of an order.

The page belongs to the stage that owns the thing; whoever knows more about it registers a panel with the site. A panel
is made at once, in the schema in which the thing was read.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.utils.functional import Promise


@dataclass(frozen=True)
class Viewer:
    """Who looks: a shop's own people, or an operator, who sees suppliers and may act by forms that go to `act_url`."""

    is_operator: bool = False
    act_url: str = ""
    #: What identifies the shopper is shown in full: asked for, and written down.
    in_full: bool = False
    #: What the shop earns by it and what it costs the shop.
    sees_earnings: bool = True


@dataclass(frozen=True)
class Panel:
    """A heading and a template with its context, in which nothing is left to be read."""

    title: str | Promise
    template: str
    context: Mapping[str, Any]


#: The panel of a thing for a viewer; None where there is nothing to tell.
PanelMaker = Callable[[Model, Viewer], Panel | None]
