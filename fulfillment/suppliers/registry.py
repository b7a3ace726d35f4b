"""The adapters there are, by the code a supplier's row names."""

from fulfillment.suppliers.acgfaka.adapter import AcgFakaAdapter
from fulfillment.suppliers.base import Capability, SupplierAdapter, SupplierMisconfigured
from fulfillment.suppliers.dtone.adapter import DtOneAdapter
from fulfillment.suppliers.dujiao.adapter import DujiaoAdapter
from fulfillment.suppliers.fulu.adapter import FuluAdapter
from fulfillment.suppliers.generic.adapter import GenericAdapter
from fulfillment.suppliers.kameng.adapter import KamengAdapter
from fulfillment.suppliers.manual.adapter import ManualAdapter
from fulfillment.suppliers.opening.adapter import OpeningAdapter
from fulfillment.suppliers.owner_hands.adapter import OwnerHandsAdapter
from fulfillment.suppliers.reloadly.adapter import ReloadlyAdapter
from fulfillment.suppliers.stock.adapter import StockAdapter
from fulfillment.suppliers.yrapi.adapter import YrapiAdapter

ADAPTERS: dict[str, type[SupplierAdapter]] = {
    StockAdapter.code: StockAdapter,
    FuluAdapter.code: FuluAdapter,
    DujiaoAdapter.code: DujiaoAdapter,
    AcgFakaAdapter.code: AcgFakaAdapter,
    GenericAdapter.code: GenericAdapter,
    YrapiAdapter.code: YrapiAdapter,
    ManualAdapter.code: ManualAdapter,
    DtOneAdapter.code: DtOneAdapter,
    ReloadlyAdapter.code: ReloadlyAdapter,
    KamengAdapter.code: KamengAdapter,
    OpeningAdapter.code: OpeningAdapter,
    OwnerHandsAdapter.code: OwnerHandsAdapter,
}


def adapter_class(code: str) -> type[SupplierAdapter]:
    """The adapter of that code. Raises `SupplierMisconfigured`."""
    try:
        return ADAPTERS[code]
    except KeyError:
        raise SupplierMisconfigured(f"no adapter {code!r}") from None


def adapters_with(capability: Capability) -> list[str]:
    """The codes of adapters that have it over every connection; where a configuration decides, none is named."""
    return [code for code, adapter in ADAPTERS.items() if capability in _always(adapter)]


def _always(adapter: type[SupplierAdapter]) -> frozenset[Capability]:
    known = vars(adapter).get("capabilities")
    return known if isinstance(known, frozenset) else frozenset()
