"""The adapters there are, by the code a supplier's row names."""

from fulfillment.suppliers.acgfaka.adapter import AcgFakaAdapter
from fulfillment.suppliers.base import SupplierAdapter, SupplierMisconfigured
from fulfillment.suppliers.dujiao.adapter import DujiaoAdapter
from fulfillment.suppliers.fulu.adapter import FuluAdapter
from fulfillment.suppliers.generic.adapter import GenericAdapter
from fulfillment.suppliers.reloadly.adapter import ReloadlyAdapter
from fulfillment.suppliers.stock.adapter import StockAdapter

ADAPTERS: dict[str, type[SupplierAdapter]] = {
    StockAdapter.code: StockAdapter,
    FuluAdapter.code: FuluAdapter,
    DujiaoAdapter.code: DujiaoAdapter,
    AcgFakaAdapter.code: AcgFakaAdapter,
    GenericAdapter.code: GenericAdapter,
    ReloadlyAdapter.code: ReloadlyAdapter,
}


def adapter_class(code: str) -> type[SupplierAdapter]:
    """The adapter of that code. Raises `SupplierMisconfigured`."""
    try:
        return ADAPTERS[code]
    except KeyError:
        raise SupplierMisconfigured(f"no adapter {code!r}") from None
