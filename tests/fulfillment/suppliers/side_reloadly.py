"""The other side of Reloadly's two services, written from its documents with the primitives alone."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

from fulfillment.suppliers.base import Attempt, Connection
from fulfillment.suppliers.reloadly.access import Token
from fulfillment.suppliers.reloadly.adapter import ReloadlyAdapter
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.sides import CALLBACK_URL, NOW, PHONE, REFERENCE, answer, payload
from tests.fulfillment.suppliers.wire import Answer

TOPUPS, GIFT_CARDS = "https://topups.reloadly.com", "https://giftcards.reloadly.com"


class ReloadlySide:
    """An account in dollars. It signed in before: what is asked first is what the suite wants to be asked."""

    client: ClassVar[str] = "mJ8vQ2xWz4T8hRb5nKc7dF3gYp6s"
    secret: ClassVar[str] = "Zk3Nq9Wb-7Xv2Rt5Ls8Hd1Gf4Jc6Pm-Yq0Tw3Eu5Io7Ar9Bs"
    token: ClassVar[str] = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI2NzkzIn0.P3f-eNbrjFuGHuDKNGjskzifPARaJPRM"
    name: str = "reloadly"
    #: Requests carry no time.
    tells_time: bool = False
    secrets: tuple[str, ...] = (client, secret)
    account: Mapping[str, str] = {"phone": PHONE}
    order_id = "4602843"

    def adapter(self, url: str, http: HttpClient, *, signed_in: bool = True, **config: str) -> ReloadlyAdapter:
        known = {"client_id": self.client, "client_secret": self.secret}
        connection = Connection("haitang", f"{url}/", known | config, currency="USD", clock=lambda: NOW)
        adapter = ReloadlyAdapter(connection, http)
        if signed_in:
            adapter.access.tokens = {each: Token(self.token, NOW + 3600) for each in (TOPUPS, GIFT_CARDS)}
        return adapter

    def attempt(self, *, codes: int = 0, asked: bool = False) -> Attempt:
        return Attempt(
            reference=REFERENCE,
            sku="10:15" if codes else "CN:86:3.52",
            quantity=codes or 1,
            account={} if codes else self.account,
            max_cost=Decimal("57.00"),
            callback_url=CALLBACK_URL,
            supplier_reference=self.order_id if asked else "",
            wants_codes=bool(codes),
        )

    @staticmethod
    def told(name: str, http: int = 200, /, **changes: Any) -> Answer:
        """A kept reply, with changes."""
        return answer(payload("reloadly", name) | changes, http)

    @staticmethod
    def reported(name: str = "report_topup", /, **changes: Any) -> Answer:
        """A kept report, with changes in its only line."""
        page = payload("reloadly", name)
        (row,) = page["content"]
        row |= {"customIdentifier": REFERENCE} | changes
        return answer(page)

    @staticmethod
    def bought(quantity: int) -> dict[str, Any]:
        """The goods of an order of so many cards."""
        product: dict[str, Any] = payload("reloadly", "order")["product"]
        return product | {"quantity": quantity, "totalPrice": 15 * quantity}

    def accepted(self, *, codes: int = 0) -> Answer:
        if codes:
            return self.told("order", status="PROCESSING", product=self.bought(codes))
        return self.told("topup_async")

    def refused(self) -> Answer:
        return self.told("refused_product", 400)

    def broke(self) -> Answer:
        return self.told("refused_balance", 400)

    def unauthorized(self) -> Answer:
        return self.told("refused_account", 400)

    def duplicate(self) -> Answer:
        return self.told("duplicate", 400)

    def unknown_code(self) -> Answer:
        return self.told("refused_balance", 400, errorCode="TOPUP_TRANSACTION_FAILED")

    def pending(self) -> Answer:
        return self.reported(status="PROCESSING")

    def before_goods(self, quantity: int) -> Answer:
        return self.reported("report_order", product=self.bought(quantity))

    def delivered(self, codes: Sequence[str] = (), *, quantity: int | None = None) -> Answer:
        if not codes and quantity is None:
            return self.reported()
        return answer([{"cardNumber": code, "pinCode": None} for code in codes])

    def failed(self) -> Answer:
        return self.reported(status="FAILED", operatorTransactionId=None)

    def unknown_state(self) -> Answer:
        return self.reported(status="ON_HOLD")

    def other_order(self) -> Answer:
        return self.reported(customIdentifier=REFERENCE[::-1])


RELOADLY = ReloadlySide()
