"""Whom the platform buys from, what they offer, how they did, and the codes we hold."""

from fulfillment.suppliers.models.aftercare import AfterSalesRequest, DuplicateSupply
from fulfillment.suppliers.models.prices import ExchangeRate, PriceChange, PriceSync
from fulfillment.suppliers.models.ranking import RankingRule, RankingWeights
from fulfillment.suppliers.models.results import SupplierBreaker, SupplierCall, SupplierIncident, SupplierResult
from fulfillment.suppliers.models.stock import StockCode, StockImport, StockImportPart
from fulfillment.suppliers.models.supplier import Supplier, SupplierOffer

__all__ = [
    "AfterSalesRequest",
    "DuplicateSupply",
    "ExchangeRate",
    "PriceChange",
    "PriceSync",
    "RankingRule",
    "RankingWeights",
    "StockCode",
    "StockImport",
    "StockImportPart",
    "Supplier",
    "SupplierBreaker",
    "SupplierCall",
    "SupplierIncident",
    "SupplierOffer",
    "SupplierResult",
]
