"""A shop in which everything that its owner and its shoppers write is a canary: text that nobody else may ever meet."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from django.contrib.admin.models import CHANGE, LogEntry
from django.db import connection
from django.test import Client
from django_tenants.utils import schema_context

from catalog.listings.models import PriceRule, Repricing
from catalog.listings.services import listing_save, price_rule_save
from catalog.models import Revision, Variant
from compliance.gate.models import Refusal
from compliance.gate.pictures import shop_picture_save
from compliance.papers import paper_hand_in
from compliance.reports.services import report_add
from customers.links import link_token
from fulfillment.suppliers.owners import owners_stock
from fulfillment.suppliers.stock_imports import import_begin, import_run
from kameng.accounts.models import User
from kameng.accounts.people import invitation_of
from kameng.alerts.services import alert_raise
from kameng.supply.models import ClientOrder
from orders.access import DEVICE_COOKIE, device_digest, order_token
from orders.keeping import account_open
from orders.models import Order
from orders.services import Buyer, LineRequest, order_place
from resellers.brand.models import BrandPicture
from resellers.clients.keys import client_key_issue
from resellers.domains.models import OwnDomain
from resellers.models import Reseller
from resellers.services import shop_touch
from tests.compliance.gate import DOUBTFUL, named
from tests.compliance.test_papers import terms
from tests.compliance.test_scans import png
from tests.doubles import ScriptedSupplier
from tests.factories import coupon, open_payment, own_good, stocked
from tests.flows import TOPPED_UP, confirm, fulfill
from tests.kameng.supply.downstream import open_client
from tests.own_collection import fund, own_till
from tests.resellers.withdrawals.test_services import ask, earn, pay_to
from tests.staff import owner_of


@dataclass(frozen=True)
class Nest:
    """A filled shop: what must be seen nowhere else, what its addresses are made of, and what opens its doors."""

    #: Where something was put, and what.
    canaries: Mapping[str, str]
    #: What each argument of an address may be here, by its name.
    arguments: Mapping[str, tuple[object, ...]]
    owner: Client
    device: str
    token: str
    key: str
    secret: str


def fill(shop: Reseller, variant: Variant, *, word: str, digit: int) -> Nest:
    """Let everybody write into the shop. `word` is in every text of it, and `digit` in every number: nobody else's are.

    There must be a brand `steam`, and `doubtful_words()`.
    """
    phone, uid, cents = f"139{digit}222000{digit}", f"{digit}22000922", f"{digit}7"
    price, share, earned, asked, top_up = (f"{yuan}.{cents}" for yuan in (59, 13, 543, 123, 321))
    held_back = f"{DOUBTFUL}{word}"
    with schema_context(shop.schema_name):
        _count_from(shop.schema_name, digit * 1_000)
        device = f"device-of-{word}"
        topped_up = _bought(shop, variant, contact=f"{word}@shopper.example", uid=uid, device=device)
        code = _bought(shop, stocked([f"CODE-{word}-0001"]), contact=phone, device=device)
        listing_save(shop_id=shop.pk, variant_id=variant.pk, price=Decimal(price), name=f"{word}专享", is_visible=True)
        rule = price_rule_save(shop_id=shop.pk, kind=PriceRule.Kind.PERCENT, value=Decimal(share), rounding="none")
        repricing = Repricing.objects.create(
            key=f"key-{word}", scope="shop", scope_name=f"{word}范围", mode="percent", value=3, rounding="none",
            entries=[], changed=1, skipped=0, actor=f"staff:{word}",
        )  # fmt: skip
        by_hand, own = own_good(shop, name=f"{word}代充", by_hand=30), own_good(shop, name=f"{word}自有")
        Revision.bump()  # for their categories
        _bought(shop, by_hand, contact=phone, uid=uid, device=device)
        brought = import_begin(
            supplier=owners_stock(), variant=own, schema_name=shop.schema_name, lines=[f"OWN-{word}-0001"],
            source=f"{word}.txt", actor=f"staff:{word}",
        )  # fmt: skip
        import_run(import_id=brought.pk)
        held = stocked([f"CODE-{word}-0002"])
        named(shop, held, held_back)
        owner = owner_of(shop, username=word)
        person = User.objects.get(username=word)
        waiting = User.objects.create(username=f"{word}-waits", is_staff=True, roles=["support"], password="!")
        User.objects.filter(pk=person.pk).update(first_name=f"{word}店长", email=f"boss@{word}.example")
        log = LogEntry.objects.create(
            user=person, object_id="1", object_repr=f"{word}操作", action_flag=CHANGE, change_message=f"{word}改了"
        )
        client = open_client(shop, name=f"{word}下游", balance="100.00")
        key, secret = client_key_issue(client_id=client.pk, actor=f"staff:{word}")
        ClientOrder.objects.create(order=code, client_id=client.pk, key=key.name, reference=f"REF-{word}")
        token = order_token(topped_up)
        link = link_token(account_open(order_id=code.pk, password=f"{word}-password-1"))
    _worn(shop, word)
    paper = paper_hand_in(
        seller=shop.slug, uploads=[png()], by=f"staff:{word}",
        terms=terms(number=f"LIC-{word}", issuer=f"{word}机关"),
    )  # fmt: skip
    report_add(
        schema_name=shop.schema_name, product=variant.product.slug, product_name=f"{word}商品", kind="other",
        text=f"{word}举报", contact=f"reporter@{word}.example",
    )  # fmt: skip
    Refusal.objects.create(
        subject_kind="shop", schema_name=shop.schema_name, subject_id=shop.pk, title=f"{word}被拒", findings=[],
        rules_version=1, by=f"staff:{word}", is_owners=True,
    )  # fmt: skip
    domain = OwnDomain.objects.create(shop=shop, host=f"www.{word}.example".lower(), nonce=word, created_by="staff:x")
    earn(shop, Decimal(earned), key=f"earned by {word}")
    payee = pay_to(shop, account=phone, name=f"{word}收款")
    wanted = ask(shop, amount=asked, key=word)
    fund(shop, top_up)
    own_till(shop, code=f"till-{word}".lower(), name=f"{word}收款码")
    alert_raise("attempt.needs_person", subject=f"{shop.slug}-{word}", name=f"{word}提醒")
    pixels = png(width=48, height=16, rows=(b"\0" + bytes([digit]) * 144) * 16)
    shop_picture_save(shop_id=shop.pk, use="logo", upload=pixels, actor=f"staff:{word}")
    picture = BrandPicture.objects.get(shop=shop, use="logo", state="shown").name
    scan = paper.scans.get()
    given = coupon(shop, f"{word}SAVES"[:20], value=Decimal(f"1.{cents}"))
    return Nest(
        canaries={
            "a text": word, "a text in small letters": word.lower(), "a phone number": phone, "an account": uid,
            "a price": price, "a rule": share, "a name that is held back": held_back, "what was earned": earned,
            "what was asked for": asked, "a deposit": top_up, "a payee": payee.hint, "a withdrawal": wanted.number,
            "an order": topped_up.number, "an order as people read it": topped_up.grouped_number,
            "another order": code.number, "a token": token, "a key": key.name, "a secret": secret,
            "a link": link, "a proof": domain.record_value, "a picture": picture, "a coupon": given.code,
            "a session": owner.cookies["kameng_session"].value,
        },
        arguments={
            "number": (topped_up.number, code.number, wanted.number),
            "object_id": (topped_up.pk, person.pk, rule.pk, log.pk),
            "token": (link,),
            "reference": (f"REF-{word}",), "name": (picture,), "client_id": (client.pk,), "scan_id": (scan.pk,),
            "repricing_id": (repricing.pk,), "variant_id": (held.pk,), "product_id": (held.product_id, own.product_id),
            "slug": (variant.product.slug, own.product.slug), "import_id": (brought.pk,), "order_id": (topped_up.pk,),
            "user_id": (person.pk,), "coupon_id": (given.pk,), "invitation": (invitation_of(waiting),),
        },
        owner=owner, device=device, token=token, key=key.name, secret=secret,
    )  # fmt: skip


def _count_from(schema_name: str, last_id: int) -> None:
    """No row of the shop has a number that is also one of another shop's."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sequencename FROM pg_sequences WHERE schemaname = %s", [schema_name])
        for (name,) in cursor.fetchall():
            cursor.execute("SELECT setval(%s::regclass, %s)", [f"{schema_name}.{name}", last_id])


def _bought(shop: Reseller, variant: Variant, *, contact: str, device: str, uid: str = "") -> Order:
    """An order that its shopper paid for, and that a supplier then saw to."""
    line = LineRequest(sku=variant.sku, quantity=1, account={"uid": uid} if uid else {})
    buyer = Buyer(device_digest=device_digest(device))
    order = order_place(shop=shop, lines=[line], contact=contact, buyer=buyer).order
    ScriptedSupplier.on_submit("first", TOPPED_UP)
    confirm(open_payment(shop, order))
    fulfill(order)
    order.refresh_from_db()
    return order


def _worn(shop: Reseller, word: str) -> None:
    """What the owner says about the shop, past the gate: it is not about what may be said."""
    Reseller.objects.filter(pk=shop.pk).update(
        name=f"{word}小店", name_en=f"{word} store", tagline=f"{word}介绍", announcement=f"{word}公告",
        support=f"{word}客服", company=f"{word}公司",
    )  # fmt: skip
    shop_touch(shop_id=shop.pk)


def shopper_of(nest: Nest, client: Client) -> Client:
    """A browser that also placed the shop's orders."""
    client.cookies[DEVICE_COOKIE] = nest.device
    return client
