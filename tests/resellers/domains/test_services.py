"""The life of a host that an owner brings."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_tenants.utils import get_public_schema_name

from kameng.alerts.models import Alert
from kameng.dispatch import dispatch
from kameng.outbox.models import OutboxEvent
from kameng.outbox.services import Claim
from kameng.sandbox.dns import Trouble
from kameng.sweep import sweep
from resellers import hosts
from resellers.domains import services
from resellers.domains.certificate import Seen
from resellers.domains.models import OwnDomain, Problem
from resellers.domains.services import GRACE, domain_ask, domain_check, domain_claim, domain_give_up, domain_waive
from resellers.models import Domain, Reseller
from resellers.services import ShopInvalid
from tests.resellers.domains.conftest import ADDRESS, TARGET, Zone
from tests.staff import owner_of

HOST = "www.spring.example"
State = OwnDomain.State


def claimed(shop: Reseller, host: str = HOST) -> OwnDomain:
    return domain_claim(shop_id=shop.pk, host=host, actor="staff:owner")


def proven(zone: Zone, own: OwnDomain, **records: list[str]) -> None:
    zone.set(own.record_name, TXT=["v=spf1 -all", own.record_value])
    zone.set(own.host, Trouble.OK, **(records or {"CNAME": [TARGET]}))


def stands(own: OwnDomain) -> tuple[str, str, bool]:
    own.refresh_from_db()
    return own.state, own.problem, own.bound


def answers(host: str = HOST) -> tuple[int, int]:
    """The shop's page there, and whether a certificate may be had."""
    hosts.forget()
    page = Client(headers={"host": host}).get("/help/").status_code
    return page, Client(headers={"host": "ops.test"}).get("/tls/ask", {"domain": host}).status_code


def lost_for(own: OwnDomain, time: timedelta) -> None:
    OwnDomain.objects.filter(pk=own.pk).update(lost_at=timezone.now() - time)


def test_a_host_answers_from_its_proof_to_the_end_of_its_grace(shop: Reseller, zone: Zone) -> None:
    own = claimed(shop)
    assert answers() == (404, 404)
    assert domain_check(domain_id=own.pk) == 60
    assert stands(own) == (State.WRONG, Problem.NO_RECORD, False)
    zone.set(own.record_name, TXT=["kameng-verification=somebody-elses"])
    domain_ask(domain_id=own.pk)
    assert stands(own) == (State.WRONG, Problem.OTHER_VALUE, False)
    assert own.seen == "kameng-verification=somebody-elses"
    proven(zone, own, A=["203.0.113.9"])
    domain_ask(domain_id=own.pk)
    assert stands(own) == (State.WRONG, Problem.NOT_POINTING, False)
    assert answers() == (404, 404)

    proven(zone, own, A=[ADDRESS])
    assert domain_check(domain_id=own.pk) == 2
    assert stands(own) == (State.VERIFIED, "", True)
    assert answers() == (200, 200)
    assert domain_check(domain_id=own.pk) == 12 * 3600
    assert stands(own) == (State.LIVE, "", True)

    zone.drop(own.record_name)
    assert domain_check(domain_id=own.pk) == 3600
    assert stands(own) == (State.LOST, Problem.NO_RECORD, True)
    assert Alert.objects.get(kind="domain.lost").subject == HOST
    assert HOST in owner_of(shop).get("/manage/").content.decode()
    assert answers() == (200, 200)
    lost_for(own, GRACE - timedelta(minutes=10))
    assert 590 < (domain_check(domain_id=own.pk) or 0) <= 600
    assert stands(own)[2]
    lost_for(own, GRACE)
    domain_check(domain_id=own.pk)
    assert stands(own) == (State.LOST, Problem.NO_RECORD, False)
    assert answers() == (404, 404)
    # Everything together within a day, whenever it was lost.
    assert services.LIVE_SECONDS + GRACE.total_seconds() + services.LOST_SECONDS < 24 * 3600

    proven(zone, own)
    domain_ask(domain_id=own.pk)
    assert stands(own) == (State.VERIFIED, "", True)
    assert not Alert.objects.filter(kind="domain.lost", closed_at=None).exists()


@pytest.mark.parametrize("trouble", [Trouble.SERVFAIL, Trouble.TIMEOUT])
@pytest.mark.parametrize("about", ["proof", "host"])
def test_what_nobody_answers_moves_nothing(shop: Reseller, zone: Zone, trouble: Trouble, about: str) -> None:
    own, fresh = claimed(shop), claimed(shop, "fresh.example")
    proven(zone, own)
    domain_check(domain_id=own.pk)
    domain_check(domain_id=own.pk)
    for one in (own, fresh):
        proven(zone, one)
        zone.set(one.record_name if about == "proof" else one.host, trouble)
        domain_check(domain_id=one.pk)
    problem = {Trouble.SERVFAIL: Problem.SERVER_FAILURE, Trouble.TIMEOUT: Problem.TIMEOUT}[trouble]
    assert stands(own) == (State.LIVE, problem, True)
    assert stands(fresh) == (State.WAITING, problem, False)
    assert answers() == (200, 200)
    OwnDomain.objects.update(answered_at=timezone.now() - timedelta(days=3))
    assert domain_check(domain_id=own.pk) == 600
    assert stands(own) == (State.LIVE, problem, True)
    assert Alert.objects.get(kind="domain.unclear").subject == HOST


def test_an_unproven_claim_blocks_nobody_and_a_proof_holds_until_it_is_gone(
    shop: Reseller, other_shop: Reseller, zone: Zone
) -> None:
    first, second = claimed(shop), claimed(other_shop)
    assert first.record_value != second.record_value
    proven(zone, second)
    domain_check(domain_id=first.pk)
    domain_check(domain_id=second.pk)
    assert stands(first) == (State.WRONG, Problem.OTHER_VALUE, False)
    assert stands(second)[2]
    # Both records stand there: whoever came first keeps it.
    zone.set(first.record_name, TXT=[second.record_value, first.record_value])
    domain_check(domain_id=first.pk)
    assert stands(first) == (State.WRONG, Problem.TAKEN, False)
    assert Domain.objects.get(domain=HOST).tenant_id == other_shop.pk
    # The name is sold: the old proof is gone, and the new one need not wait for the end of somebody's grace.
    proven(zone, first)
    domain_check(domain_id=second.pk)
    domain_check(domain_id=first.pk)
    assert stands(second) == (State.LOST, Problem.OTHER_VALUE, False)
    assert stands(first) == (State.VERIFIED, "", True)
    assert Domain.objects.get(domain=HOST).tenant_id == shop.pk


def test_an_old_record_proves_nothing_once_a_host_was_given_up(shop: Reseller, zone: Zone) -> None:
    own = claimed(shop)
    proven(zone, own)
    domain_check(domain_id=own.pk)
    Domain.objects.get(domain="one.test").delete()
    domain_give_up(domain_id=own.pk)
    assert answers() == (404, 404)
    domain_give_up(domain_id=own.pk)
    again = claimed(shop)
    domain_check(domain_id=again.pk)
    assert stands(again) == (State.WRONG, Problem.OTHER_VALUE, False)


def test_adding_twice_is_adding_once_and_hosts_of_others_are_refused(
    shop: Reseller, zone: Zone, settings: pytest.FixtureRequest
) -> None:
    settings.OPERATIONS_HOST = "ops.platform.example"  # type: ignore[attr-defined]
    assert claimed(shop) == claimed(shop, "https://WWW.Spring.example./")
    for host, words in {
        "one.test": "已经是你的店铺", "two.test": "属于别的店铺", "a.platform.example": "平台自己的",
        "x.ops.test": "平台自己的", "kameng-vip.example": "看起来像平台", "1.2.3.4": "IP", "раypal.com": "混用",
    }.items():  # fmt: skip
        with pytest.raises(ShopInvalid) as refused:
            claimed(shop, host)
        assert words in str(refused.value.fields["host"]), host
    for number in range(services.MOST_OF_A_SHOP - 1):
        claimed(shop, f"shop-{number}.example")
    with pytest.raises(ShopInvalid, match="最多 10 个"):
        claimed(shop, "one-more.example")
    assert OwnDomain.objects.count() == services.MOST_OF_A_SHOP
    settings.PRODUCTION = True  # type: ignore[attr-defined]
    with pytest.raises(ShopInvalid) as refused:
        claimed(shop, "shop.test")
    assert "保留" in str(refused.value.fields["host"])


def test_the_certificate_is_waited_for_and_asked_for_at_our_own_address(
    shop: Reseller, zone: Zone, settings: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUBLIC_SCHEME = "https"  # type: ignore[attr-defined]
    asked: list[tuple[str, str]] = []
    seen = [Seen.UNCLEAR, Seen.MISSING, Seen.VALID, Seen.MISSING]

    def certificate_of(host: str, address: str) -> Seen:
        asked.append((host, address))
        return seen.pop(0)

    monkeypatch.setattr(services, "certificate_of", certificate_of)
    own = claimed(shop)
    proven(zone, own)
    assert domain_check(domain_id=own.pk) == 2
    assert [domain_check(domain_id=own.pk) for _ in range(4)] == [20, 20, 12 * 3600, 12 * 3600]
    assert stands(own) == (State.LIVE, "", True)
    assert set(asked) == {(HOST, ADDRESS)}


def test_an_operator_vouches_for_where_a_name_leads_and_never_for_whose_it_is(shop: Reseller, zone: Zone) -> None:
    own = claimed(shop)
    zone.set(own.host, A=["203.0.113.9"])
    domain_waive(domain_id=own.pk, actor="staff:li")
    domain_check(domain_id=own.pk)
    assert stands(own) == (State.WRONG, Problem.NO_RECORD, False)
    proven(zone, own, A=["203.0.113.9"])
    domain_check(domain_id=own.pk)
    assert stands(own) == (State.VERIFIED, "", True)


def test_it_is_looked_at_by_the_outbox_more_rarely_until_nobody_wants_to_know(shop: Reseller, zone: Zone) -> None:
    own = claimed(shop)
    event = OutboxEvent.objects.get()
    assert (event.schema_name, event.topic, event.payload) == (
        get_public_schema_name(), "domain.check", {"domain_id": own.pk},
    )  # fmt: skip
    wishes = []
    for days in (0.5, 2, 8):
        OwnDomain.objects.update(asked_at=timezone.now() - timedelta(days=days))
        wishes.append(dispatch(Claim(event.pk, event.schema_name, event.topic, event.payload, 1, 1)))
    assert wishes == [600, 3600, None]
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    OutboxEvent.objects.all().delete()
    OwnDomain.objects.update(created_at=timezone.now() - timedelta(hours=1))
    assert sweep() == 0
    domain_ask(domain_id=own.pk)
    assert OutboxEvent.objects.count() == 1
    # What a person finds out moves the one row there is: a lost host is not left alone until tomorrow.
    OutboxEvent.objects.update(run_at=timezone.now() + timedelta(hours=12))
    proven(zone, own)
    domain_ask(domain_id=own.pk)
    assert OutboxEvent.objects.get().run_at < timezone.now() + timedelta(seconds=5)
    OutboxEvent.objects.all().delete()
    assert sweep() == 1
    OwnDomain.objects.all().delete()
    assert domain_check(domain_id=own.pk) is None


def test_the_page_of_an_owner_and_that_of_operators(shop: Reseller, other_shop: Reseller, zone: Zone) -> None:
    from tests.staff import operator

    owner = owner_of(shop)
    page = owner.post("/manage/domains/", {"act": "add", "host": "充值.example"}, follow=True).content.decode()
    own = OwnDomain.objects.get()
    for text in ("充值.example", "xn--hxqzy.example", own.record_name, own.record_value, TARGET, ADDRESS, "one.test"):
        assert text in page
    assert "IP 地址" in owner.post("/manage/domains/", {"act": "add", "host": "1.2.3.4"}).content.decode()
    page = owner.post("/manage/domains/", {"act": "check", "row": own.pk}, follow=True).content.decode()
    assert "还没有这条 TXT 记录" in page
    stranger = owner_of(other_shop)
    for act in ("check", "remove", "prefer"):
        assert stranger.post("/manage/domains/", {"act": act, "row": own.pk}).status_code == 404
    proven(zone, own, A=["203.0.113.9"])
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    desk = operator()
    desk.post("/admin/domains/", {"act": "check", "row": own.pk})
    assert "203.0.113.9" in desk.get("/admin/domains/").content.decode()
    desk.post("/admin/domains/", {"act": "waive", "row": own.pk})
    assert stands(own) == (State.VERIFIED, "", True)
    connection.set_tenant(shop)  # type: ignore[attr-defined]
    owner.post("/manage/domains/", {"act": "prefer", "row": own.pk})
    assert Domain.objects.get(tenant=shop, is_primary=True).domain == own.host
    connection.set_schema_to_public()  # type: ignore[attr-defined]
    desk.post("/admin/domains/", {"act": "unbind", "row": own.pk})
    assert not OwnDomain.objects.exists()
    assert Domain.objects.get(tenant=shop, is_primary=True).domain == "one.test"


def test_shoppers_are_told_which_hosts_are_genuine(shop: Reseller, other_shop: Reseller, zone: Zone) -> None:
    Reseller.objects.filter(pk=shop.pk).update(is_house=True)
    own = claimed(other_shop)
    proven(zone, own)
    hosts.forget()
    visitor = Client(headers={"host": "one.test"})
    assert 'href="/hosts/"' in visitor.get("/help/").content.decode()
    assert "不是本平台" in visitor.get("/hosts/", {"host": HOST}).content.decode()
    domain_check(domain_id=own.pk)
    page = visitor.get("/hosts/", {"host": f"https://{HOST}/p/x?y=1"}).content.decode()
    assert "是「Shop two」" in page
    assert "ops.test" not in page
    near = visitor.get("/hosts/", {"host": "www.sprlng.example"}).content.decode()
    assert "不是本平台" in near
    assert f"看起来像「Shop two」的 {HOST}" in near
    assert "不是一个能用的网址" in visitor.get("/hosts/", {"host": '"><script>'}).content.decode()
    assert Client(headers={"host": "two.test"}).get("/hosts/")["Location"].endswith("//one.test:8000/hosts/")
