"""Opening an account, what opens it again, and closing it.

Nobody can be asked by message whether a contact is theirs, so an account is opened by somebody who has paid for an
order with that contact (`orders.keeping`), and proves no more than that order.
"""

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Now

from customers.contacts import contact_clean
from customers.exceptions import AccountRefused, ContactTaken, SignInFailed, WalletNotEmpty
from customers.models import Customer, Route
from kameng.accounts.models import User
from kameng.core import sql
from kameng.core.encryption import digest

#: A longer password costs more to look at than anybody remembers.
LONGEST_PASSWORD = 128
_KNOWN = f"SELECT {sql.columns(Customer)} FROM customers_customer WHERE {{}} AND closed_at IS NULL"
_BY_ID, _BY_CONTACT = _KNOWN.format("id = %s"), _KNOWN.format("contact = %s")


def customer_known(customer_id: int) -> Customer | None:
    """An open account of the current shop."""
    return next(iter(sql.instances(Customer, _BY_ID, [customer_id])), None)


def customer_with(contact: str) -> Customer | None:
    """The open account of a contact, as `contact_clean` writes it."""
    return next(iter(sql.instances(Customer, _BY_CONTACT, [contact])), None)


def customer_open(*, contact: str, password: str) -> Customer:
    """A new account for a clean contact. Raises `AccountRefused` and `ContactTaken`."""
    customer = Customer(contact=contact, password=_hashed(password, contact))
    try:
        with transaction.atomic():
            customer.save(force_insert=True)
    except IntegrityError as error:
        raise ContactTaken from error
    customer.refresh_from_db()
    return customer


def customer_sign_in(*, contact: str, password: str) -> Customer:
    """Whose contact and password these are. Raises `SignInFailed`, after the same time whatever was wrong."""
    try:
        customer = customer_with(contact_clean(contact))
    except ValueError:
        customer = None
    password = password[:LONGEST_PASSWORD]
    if customer is None:
        make_password(password)
        raise SignInFailed
    if not check_password(password, customer.password):
        raise SignInFailed
    Customer.objects.filter(pk=customer.pk).update(last_seen=Now())
    return customer


@transaction.atomic
def password_set(*, customer_id: int, password: str) -> Customer:
    """Another password, which ends all sessions. Raises `AccountRefused`."""
    customer = Customer.objects.select_for_update().get(pk=customer_id, closed_at=None)
    customer.password = _hashed(password, customer.contact)
    customer.session_version += 1
    customer.save(update_fields=["password", "session_version"])
    return customer


def password_is(customer: Customer, password: str) -> bool:
    """Whether it opens the account."""
    return check_password(password[:LONGEST_PASSWORD], customer.password)


def sessions_end(*, customer_id: int) -> None:
    """Whoever is signed in, is not any more."""
    Customer.objects.filter(pk=customer_id).update(session_version=F("session_version") + 1)


def refunds_go(*, customer_id: int, to: Route) -> None:
    """Where refunds of the orders go that are placed from now on."""
    Customer.objects.filter(pk=customer_id).update(refund_to=to)


@transaction.atomic
def customer_close(*, customer_id: int) -> None:
    """Put a pseudonym in the place of the contact; nobody signs in any more. Raises `WalletNotEmpty`.

    The row stays, for the book tells of it. Its orders are forgotten for themselves (`kameng.privacy`).
    """
    customer = Customer.objects.select_for_update().get(pk=customer_id, closed_at=None)
    if customer.wallet:
        raise WalletNotEmpty
    customer.contact = f"#{digest(f'{customer.pk}/{customer.contact}', purpose='forgotten')[:32]}"
    customer.password = make_password(None)
    customer.session_version += 1
    customer.closed_at = Now()
    customer.save(update_fields=["contact", "password", "session_version", "closed_at"])


def _hashed(password: str, contact: str) -> str:
    if len(password) > LONGEST_PASSWORD:
        password = ""
    try:
        validate_password(password, User(username=contact))
    except ValidationError as error:
        text = " ".join(error.messages)
        raise AccountRefused(text, fields={"password": text}) from error
    return make_password(password)
