"""What a shopper types about the account that is topped up."""

from typing import Any

import pytest
from django.utils import translation

from catalog.accounts import LONGEST_VALUE, AccountInvalid, clean

UID = {
    "name": "uid",
    "label": "角色编号",
    "label_en": "Player ID",
    "type": "text",
    "pattern": "[0-9]{6,12}",
    "example": "1",
}
SERVER = {
    "name": "server",
    "label": "区服",
    "type": "select",
    "choices": [{"value": "cn", "label": "国服"}, {"value": "asia", "label": "亚服", "label_en": "Asia"}],
}
PHONE = {"name": "phone", "label": "手机号", "type": "tel", "pattern": "1[3-9][0-9]{9}", "example": "13812345678"}
NOTE = {"name": "note", "label": "备注", "type": "text", "required": False}


def typed(schema: list[dict[str, Any]], **given: Any) -> dict[str, str]:
    """Field names and values as they would be stored."""
    return {entry["name"]: entry["value"] for entry in clean(schema, given)}


def wrong(schema: list[dict[str, Any]], **given: Any) -> set[str]:
    """Which fields are refused; each with something to say."""
    with pytest.raises(AccountInvalid) as invalid:
        clean(schema, given)
    assert all(invalid.value.errors.values())
    return set(invalid.value.errors)


def test_an_account_is_stored_in_the_forms_order_with_its_labels() -> None:
    assert clean([UID, SERVER], {"server": "asia", "uid": "482019375"}) == [
        {
            "name": "uid",
            "label": "角色编号",
            "label_en": "Player ID",
            "value": "482019375",
            "shown": "482019375",
            "shown_en": "482019375",
        },
        {
            "name": "server",
            "label": "区服",
            "label_en": "区服",
            "value": "asia",
            "shown": "亚服",
            "shown_en": "Asia",
        },
    ]


def test_a_refusal_names_the_field_in_the_readers_language() -> None:
    said = {}
    for language in ("zh-hans", "en"):
        with translation.override(language), pytest.raises(AccountInvalid) as invalid:
            clean([UID], {})
        said[language] = invalid.value.errors
    assert said == {"zh-hans": {"uid": "请填写角色编号"}, "en": {"uid": "Please fill in Player ID"}}


def test_goods_without_a_form_take_no_account() -> None:
    assert clean([], {}) == []
    assert wrong([], uid="482019375") == {"uid"}


@pytest.mark.parametrize("raw", ["４８２０１９３７５", " 482019375 ", "\t482019375\n", "482019375　"])
def test_full_width_digits_and_stray_spaces_are_forgiven(raw: str) -> None:
    assert typed([UID], uid=raw) == {"uid": "482019375"}


@pytest.mark.parametrize(
    "raw",
    [
        "", " ", "12345", "1234567890123", "48201 9375", "-482019375", "4.8e8", "<script>alert(1)</script>",
        "٤٨٢٠١٩٣٧٥",
        "482019375\n1", "482019375\x00", "482\u200b019375", "482\u202e019375", "\ud800", None, 482019375, True, [], {},
        ["482019375"], "9" * 121, "9" * 10_000_000,
    ],
    ids=lambda raw: repr(raw)[:24],
)  # fmt: skip
def test_what_does_not_fit_the_form_is_refused(raw: object) -> None:
    assert wrong([UID], uid=raw) == {"uid"}


def test_a_missing_field_is_refused_unless_it_is_optional() -> None:
    assert wrong([UID, SERVER, NOTE]) == {"uid", "server"}
    assert typed([UID, NOTE], uid="482019375", note=" ") == {"uid": "482019375"}
    assert wrong([UID, NOTE], uid="482019375", note=None) == {"note"}


@pytest.mark.parametrize("raw", ["国服", "CN", "us", "cn,asia", "", "cn\x00"])
def test_a_choice_is_one_of_those_offered(raw: str) -> None:
    assert wrong([SERVER], server=raw) == {"server"}
    assert typed([SERVER], server=" cn ") == {"server": "cn"}


@pytest.mark.parametrize(
    "raw", ["13812345678", "138 1234 5678", "138-1234-5678", "+86 13812345678", "8613812345678", "(+86)138-1234-5678"]
)
def test_a_phone_number_is_read_however_it_is_written(raw: str) -> None:
    assert typed([PHONE], phone=raw) == {"phone": "13812345678"}


@pytest.mark.parametrize(
    "raw", ["1381234567", "138123456789", "12812345678", "+1 13812345678", "0086", "-", "1381234567x"]
)
def test_what_is_no_phone_number_is_refused(raw: str) -> None:
    assert wrong([PHONE], phone=raw) == {"phone"}


def test_a_field_that_the_form_does_not_have_is_refused() -> None:
    assert wrong([UID], uid="482019375", price="0.01") == {"price"}
    long = "x" * 5000
    assert wrong([UID], uid="482019375", **{long: "1"}) == {"x" * 40}


def test_everything_wrong_is_told_at_once() -> None:
    assert wrong([UID, SERVER, PHONE], uid="x", server="x", phone="x", extra="x") == {"uid", "server", "phone", "extra"}


def test_a_value_that_grows_when_it_is_normalized_is_still_too_long() -> None:
    """U+FDFA is one character that stands for eighteen."""
    assert wrong([NOTE], note="\ufdfa" * LONGEST_VALUE) == {"note"}
    assert len(typed([NOTE], note="x" * LONGEST_VALUE)["note"]) == LONGEST_VALUE


def test_a_schema_is_not_changed_by_use() -> None:
    schema: list[dict[str, Any]] = [dict(UID), dict(SERVER)]
    clean(schema, {"uid": "482019375", "server": "cn"})
    assert schema == [UID, SERVER]
