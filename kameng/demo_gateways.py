"""Who collects in the demo: the platform at each gateway, and one owner for themselves, out of a deposit."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from payments.merchants.models import FeeBearer, GatewayAccount
from payments.merchants.services import gateway_account_save
from resellers.deposits.top_ups import top_up_confirm, top_up_record
from resellers.models import Reseller

#: Name, and fee as such gateways ask for; an installation of 易支付 takes several times as much.
GATEWAYS: dict[str, tuple[str, str, FeeBearer]] = {
    "alipay": ("支付宝（沙箱）", "0.6", FeeBearer.PLATFORM),
    "wechatpay": ("微信支付（沙箱）", "0.6", FeeBearer.PLATFORM),
    "epay": ("易支付（沙箱）", "2.5", FeeBearer.OWNER),
}
#: What the sandbox wrote down for a merchant, where it is not called like the gateway: these are paid inside the app,
#: too.
FILES = {"alipay": "alipay_jsapi", "wechatpay": "wechatpay_jsapi"}
#: The sub-site whose owner collects for themselves, at the sandbox's 易支付, out of a deposit; and the account to which
#: its shoppers may transfer money by hand.
OWNS_A_TILL, OWN_TILL, BY_HAND = "qinghe", "qinghe-epay", "qinghe-transfer"
DEPOSIT, DEPOSIT_REFERENCE = Decimal(2000), "DEMO-DEPOSIT-1"
TRANSFER_TO = {"holder": "青禾充值演示账户", "bank": "演示银行", "number": "6222 0000 0000 0000 000"}


def gateways_seed(folder: Path) -> None:
    """The platform's own accounts, with the keys that the sandbox knows."""
    for position, (gateway, (name, fee_percent, fee_bearer)) in enumerate(GATEWAYS.items()):
        config = json.loads((folder / f"{FILES.get(gateway, gateway)}.json").read_text())
        # An operator may have changed the terms meanwhile.
        is_known = GatewayAccount.objects.filter(code=gateway).exists()
        terms: dict[str, Any] = {} if is_known else {"fee_percent": Decimal(fee_percent), "fee_bearer": fee_bearer}
        gateway_account_save(code=gateway, gateway=gateway, config=config, name=name, position=position, **terms)


def own_till_seed(folder: Path, shop: Reseller) -> None:
    """One owner who collects for themselves, out of a deposit that two have seen; and an account for transfers."""
    config = json.loads((folder / "epay.json").read_text())
    is_known = GatewayAccount.objects.filter(code=OWN_TILL).exists()
    terms: dict[str, Any] = {} if is_known else {"fee_percent": Decimal("2.5"), "fee_bearer": FeeBearer.OWNER}
    own: dict[str, Any] = {"schema_name": shop.schema_name, "position": len(GATEWAYS)}
    gateway_account_save(
        code=OWN_TILL,
        gateway="epay",
        config=config,
        name="青禾的易支付（店主自收）",
        owner_collects=True,
        **own,
        **terms,
    )
    gateway_account_save(code=BY_HAND, gateway="manual", config=TRANSFER_TO, name="青禾的转账汇款", **own)
    seen = top_up_record(shop_id=shop.pk, amount=DEPOSIT, reference=DEPOSIT_REFERENCE, actor="staff:demo-1")
    top_up_confirm(top_up_id=seen.pk, actor="staff:demo-2")
