"""Connections to suppliers: which adapter speaks over each, with which secrets, deadlines and pool."""

from threading import Lock

from fulfillment.suppliers.base import Connection, SupplierAdapter, SupplierMisconfigured
from fulfillment.suppliers.models import Supplier
from fulfillment.suppliers.plan_desk import Desk
from fulfillment.suppliers.registry import adapter_class
from fulfillment.suppliers.stock_room import ShelfRoom
from kameng.core.encryption import Unreadable
from kameng.core.http import HttpClient
from kameng.core.remembered import Remembered

_adapters: dict[int, tuple[object, SupplierAdapter]] = {}
_lock = Lock()
_by_id: Remembered[int, Supplier] = Remembered()
_by_code: Remembered[str, Supplier | None] = Remembered()


def adapter_of(supplier: Supplier) -> SupplierAdapter:
    """The adapter over a supplier's connection, kept by the process until the connection changes.

    Raises `SupplierMisconfigured`, also for an adapter that does not exist.
    """
    known = _adapters.get(supplier.pk)
    if known is not None and known[0] == supplier.updated_at:
        return known[1]
    try:
        config = supplier.config
    except Unreadable as error:
        raise SupplierMisconfigured(f"{supplier.code}: the configuration cannot be decrypted") from error
    link = Connection(
        supplier=supplier.code,
        base_url=supplier.base_url,
        config=config,
        currency=supplier.currency,
        stock_room=ShelfRoom(supplier.pk),
        plan_desk=Desk(),
    )
    # Connections and deadlines of its own: who hangs there takes nothing from others.
    http = HttpClient(
        connect=float(supplier.connect_seconds),
        read=float(supplier.read_seconds),
        total=float(supplier.total_seconds),
        pool=supplier.max_concurrent,
    )
    adapter: SupplierAdapter = adapter_class(supplier.adapter)(link, http)
    with _lock:
        _adapters[supplier.pk] = (supplier.updated_at, adapter)
    return adapter


def supplier_known(supplier_id: int) -> Supplier:
    """A supplier's connection as it was a second ago at most. Raises `Supplier.DoesNotExist`."""
    return _by_id.get(supplier_id, lambda: Supplier.objects.get(pk=supplier_id))


def supplier_named(code: str) -> Supplier | None:
    """The supplier of that code, as it was a second ago at most."""
    return _by_code.get(code, lambda: Supplier.objects.filter(code=code).first())


def forget() -> None:
    """Drop suppliers and adapters: for tests, and for the process that has just changed one."""
    with _lock:
        _adapters.clear()
    _by_id.forget()
    _by_code.forget()
