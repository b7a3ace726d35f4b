"""The migrations of orders, and after them the one that stands here."""

from orders import migrations

__path__ = [*__path__, *migrations.__path__]
