"""People as a supplier: every attempt waits for one, and nobody is called."""

from dataclasses import replace

import pytest

from fulfillment.suppliers.base import (
    AccountVerdict,
    CallbackRefused,
    Capability,
    Connection,
    OutcomeKind,
    SupplierSilent,
)
from fulfillment.suppliers.manual.adapter import ManualAdapter
from fulfillment.suppliers.reasons import Reason
from fulfillment.suppliers.registry import adapter_class
from kameng.core.http import HttpClient
from tests.fulfillment.suppliers.side_yrapi import YrapiSide
from tests.fulfillment.suppliers.sides import PHONE, REFERENCE

ATTEMPT = YrapiSide().attempt()


@pytest.fixture
def people(http: HttpClient) -> ManualAdapter:
    adapter = adapter_class("manual")(Connection("manual", ""), http)
    assert isinstance(adapter, ManualAdapter)
    return adapter


@pytest.mark.parametrize("wants_codes", [False, True])
def test_an_attempt_is_taken_at_once_and_stays_until_a_person_ends_it(people: ManualAdapter, wants_codes: bool) -> None:
    attempt = replace(ATTEMPT, wants_codes=wants_codes, quantity=2)
    for outcome in (people.submit(attempt), people.query(attempt), people.query(attempt)):
        assert (outcome.kind, outcome.items, outcome.code) == (OutcomeKind.ACCEPTED, (), "")
        assert outcome.supplier_reference == REFERENCE
        assert PHONE not in outcome.evidence


def test_it_says_that_people_deliver_and_promises_nothing_else(people: ManualAdapter) -> None:
    assert people.capabilities == {Capability.MANUAL, Capability.QUERY_BY_OUR_NUMBER}
    assert people.cancel(ATTEMPT).code == Reason.NOT_SUPPORTED
    assert people.balance() is None
    assert people.price("68") is None
    assert people.check_account("68", {"phone": PHONE}).verdict is AccountVerdict.UNAVAILABLE
    with pytest.raises(SupplierSilent):
        people.products("")
    with pytest.raises(CallbackRefused):
        people.parse_callback(headers={}, body=b"state=1")
    assert people.callback_reply(accepted=False)[0] == 404
