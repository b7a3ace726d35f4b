"""Finding a shop's orders by what somebody types. What names an order, a contact or an account is found among all of
them by an index; a piece of something is looked for among the newest, or, slower, among all."""

import re
from dataclasses import dataclass

from django.db.models import Func, JSONField, Model, Q, QuerySet, TextField, Value
from django.db.models.functions import Cast

from customers.contacts import contact_clean
from kameng.core.encryption import digest
from kameng.core.ids import ALPHABET, normalize
from orders.models import TYPED, Order, OrderLine

#: Shorter than this, a piece of a number or contact fits too many.
SHORTEST_PIECE = 4
#: A whole number.
LONGEST_NUMBER = 16
#: Among how many of the newest orders a piece is looked for.
NEWEST = 20_000

Ids = QuerySet[Model, int]


@dataclass(frozen=True, slots=True)
class Found:
    """Orders, and whether older ones were left out of the search."""

    orders: QuerySet[Order]
    is_cut: bool = False


def orders_found(queryset: QuerySet[Order], term: str, *, everywhere: bool = False) -> Found:
    """Orders by number (dashes and the beginning of it will do), product, account, or contact.

    Accounts and contacts whole or as they are shown (`138****5678`), of a phone also its end. Those that are whole, and
    whole numbers, lead to every order of theirs; whatever is a piece to those of the newest, unless `everywhere`.
    """
    term = term.strip()
    if not term:
        return Found(queryset)
    number = normalize(term)
    is_number = len(number) >= SHORTEST_PIECE and all(char in ALPHABET for char in number)
    if is_number and len(number) == LONGEST_NUMBER and (one := queryset.filter(number=number)).exists():
        return Found(one)
    whole = [_of_account(term)]
    if "*" not in term and (contact := _contact_digest(term)):
        whole.append(_ids(Order.objects.filter(contact_digest=contact)))
        return Found(_any_of(queryset, whole))
    oldest = None if everywhere else _oldest()
    pieces = _masked_like(term, oldest) if "*" in term else _pieces(term, number if is_number else "", oldest)
    return Found(_any_of(queryset, [*whole, *pieces], at_once=oldest is not None), is_cut=oldest is not None)


def _contact_digest(term: str) -> str:
    try:
        return digest(contact_clean(term), purpose="contact")
    except ValueError:
        return ""


def _any_of(queryset: QuerySet[Order], found: list[Ids], *, at_once: bool = False) -> QuerySet[Order]:
    """A union of ids, so that each part goes by its own index; `at_once` where a list asks for few ids twice, to count
    them and to show some."""
    first, *more = found
    ids = first.union(*more) if more else first
    return queryset.filter(pk__in=list(ids) if at_once else ids)


def _ids(orders: QuerySet[Order]) -> Ids:
    return orders.order_by().values_list("pk", flat=True)


def _ids_of(lines: QuerySet[OrderLine]) -> Ids:
    return lines.order_by().values_list("order_id", flat=True)


def _of_account(term: str) -> Ids:
    """By any one whole value that the shopper typed (index `order_line_typed`)."""
    typed = Func("account", Value(TYPED), function="jsonb_path_query_array", output_field=JSONField())
    return _ids_of(OrderLine.objects.alias(typed=typed).filter(typed__contains=[term]))  # type: ignore[misc]


def _oldest() -> int | None:
    """The oldest of the newest orders; None where a shop has no more than those."""
    return Order.objects.order_by("-pk").values_list("pk", flat=True)[NEWEST : NEWEST + 1].first()


def _pieces(term: str, number: str, oldest: int | None) -> list[Ids]:
    orders, lines = _since(oldest)
    named = Q(product_name__icontains=term) | Q(variant_name__icontains=term) | Q(sku=term)
    found = [_ids_of(lines.filter(named | Q(account__contains=[{"value": term}])))]
    of_orders = Q(number__startswith=number) if number else Q()
    if term.isdigit() and len(term) >= SHORTEST_PIECE:
        of_orders |= Q(contact__endswith=term)
    return [*found, _ids(orders.filter(of_orders))] if of_orders else found


def _masked_like(term: str, oldest: int | None) -> list[Ids]:
    """Contacts and accounts that may be shown like that; a piece that is too short fits too many, and finds none."""
    pieces = re.split(r"\*+", term)
    if sum(map(len, pieces)) < SHORTEST_PIECE:
        return []
    orders, lines = _since(oldest)
    wanted = '[^"]*'.join(map(re.escape, pieces))
    lines = lines.alias(written=Cast("account", TextField()))
    # Cheap ones first: what has not all the pieces is not looked at by the expression.
    for piece in filter(None, pieces):
        orders, lines = orders.filter(contact__icontains=piece), lines.filter(written__contains=piece)
    written = lines.filter(written__regex=f'"value": "{wanted}"')
    return [_ids_of(written), _ids(orders.filter(contact__iregex=f"^{wanted}$"))]


def _since(oldest: int | None) -> tuple[QuerySet[Order], QuerySet[OrderLine]]:
    if oldest is None:
        return Order.objects.all(), OrderLine.objects.all()
    return Order.objects.filter(pk__gt=oldest), OrderLine.objects.filter(order_id__gt=oldest)
