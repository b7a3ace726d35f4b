"""Long lists of codes: what is taken, what is left out and by which line, and how an import is taken back."""

import pytest

from catalog.models import Variant
from fulfillment.suppliers.models import StockCode, StockImport, StockImportPart
from fulfillment.suppliers.owners import owners_stock
from fulfillment.suppliers.stock_files import LARGEST_FILE, StockFileInvalid, as_code, file_lines, text_lines
from fulfillment.suppliers.stock_imports import (
    FOREIGN,
    ImportRunning,
    import_begin,
    import_run,
    import_undo,
    ranges_add,
    sold_of,
)
from kameng.alerts.models import Alert
from orders.exceptions import SkuUnavailable
from resellers.models import Reseller
from tests.factories import own_good, place, stocked
from tests.flows import delivered_codes, drain, fulfill, paid


def begun(shop: Reseller, variant: Variant, lines: list[str]) -> StockImport:
    return import_begin(
        supplier=owners_stock(), variant=variant, schema_name=shop.schema_name, lines=lines, source="codes.txt",
        actor="owner",
    )  # fmt: skip


def counted(batch: StockImport) -> tuple[int, ...]:
    batch.refresh_from_db()
    return batch.lines, batch.done, batch.added, batch.repeated, batch.known, batch.bad


def codes(count: int, prefix: str = "CODE") -> list[str]:
    return [f"{prefix}-{number:06}" for number in range(count)]


# --- reading --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name", "lines"),
    [
        (b"A1B2-1\r\nA1B2-2\r\n", "a.txt", ["A1B2-1", "A1B2-2"]),
        (b"\xef\xbb\xbfA1B2-1\n\nA1B2-2", "a.txt", ["A1B2-1", "", "A1B2-2"]),
        ("卡号 A1B2\n".encode("gb18030"), "a.txt", ["卡号 A1B2"]),
        (b'"A1B2", "pass 1"\nA1B3,pass2\n', "A.CSV", ["A1B2 pass 1", "A1B3 pass2"]),
        (b"A1B2-1\rA1B2-2", "a.txt", ["A1B2-1", "A1B2-2"]),
    ],
    ids=["windows", "mark and blank line", "GB18030", "csv", "old mac"],
)
def test_a_file_of_any_program_is_read(data: bytes, name: str, lines: list[str]) -> None:
    assert file_lines(data, name=name) == lines


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "没有卡密"),
        (b"\n \r\n", "没有卡密"),
        (b"PK\x03\x04rest", "另存为"),
        ("卡号 A1B2\n".encode("utf-16"), "存成 UTF-8"),
        (b"A" * (LARGEST_FILE + 1), "超过 10 MB"),
        (b"A1B2\n" * 100_001, "最多 100000 行"),
    ],
    ids=["empty", "blank", "Excel", "UTF-16", "too large", "too many"],
)
def test_what_is_no_list_is_refused_in_words(data: bytes, says: str) -> None:
    with pytest.raises(StockFileInvalid, match=says):
        file_lines(data, name="a.txt")


def test_a_line_is_a_code_nothing_or_something_else() -> None:
    assert as_code("\u3000A1B2-C3D4\ufeff") == "A1B2-C3D4"
    assert as_code(" \t") == ""
    assert [as_code(line) for line in ("A1B2\0C3D4", "缺货", "aaaa", "A" * 401, "12")] == [None] * 5


def test_line_numbers_are_kept_as_ranges() -> None:
    assert ranges_add([[1, 2]], [3, 4, 9]) == [[1, 4], [9, 9]]
    many = ranges_add([], range(1, 4001, 2))
    assert (len(many), many[-1]) == (1000, [1999, 1999])
    assert text_lines("a\n\n") == ["a"]


# --- importing ------------------------------------------------------------------------------------------------


def test_each_line_is_counted_once_and_those_left_out_are_named(shop: Reseller) -> None:
    variant = own_good(shop)
    stocked(["THEIRS-0001"])
    lines = [*codes(3), "", "CODE-000001", "缺货", "theirs-0001", "NEW1-AAAA"]
    batch = begun(shop, variant, lines)
    assert not any("CODE-000001" in part.sealed for part in StockImportPart.objects.all())
    assert import_run(import_id=batch.pk) is None
    assert counted(batch) == (8, 8, 4, 1, 1, 1)
    assert batch.problems == {"repeated": [[5, 5]], "bad": [[6, 6]], "known": [[7, 7]]}
    assert not StockImportPart.objects.exists()
    assert Alert.objects.get(kind=FOREIGN).data["count"] == 1
    assert place(shop, variant).total == variant.own_price
    # Run again, nothing is counted twice; brought again, everything is known.
    assert import_run(import_id=batch.pk) is None
    assert counted(batch) == (8, 8, 4, 1, 1, 1)
    again = begun(shop, variant, codes(3))
    drain()
    assert counted(again) == (3, 3, 0, 0, 3, 0)
    assert again.problems["known"] == [[1, 3]]
    assert again.finished_at is not None


def test_many_parts_go_in_one_after_the_other_in_the_order_of_the_file(shop: Reseller) -> None:
    variant = own_good(shop)
    lines = [*codes(4500), "CODE-000000"]
    batch = begun(shop, variant, lines)
    assert StockImportPart.objects.count() == 3
    drain()
    assert counted(batch) == (4501, 4501, 4500, 1, 0, 0)
    assert batch.problems["repeated"] == [[4501, 4501]]
    first = StockCode.objects.filter(variant=variant).order_by("pk")[0]
    assert (first.reference, first.batch_id) == ("", batch.pk)


# --- taking back ----------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("gateway_double")
def test_taken_back_are_the_codes_that_nobody_bought_and_the_sold_ones_are_named(shop: Reseller) -> None:
    variant = own_good(shop)
    batch = begun(shop, variant, codes(3))
    with pytest.raises(ImportRunning):
        import_undo(import_id=batch.pk, schema_name=shop.schema_name, actor="owner")
    drain()
    order = paid(shop, variant)
    fulfill(order)
    with pytest.raises(StockImport.DoesNotExist):
        import_undo(import_id=batch.pk, schema_name="shop_two", actor="owner")
    undone = import_undo(import_id=batch.pk, schema_name=shop.schema_name, actor="owner")
    assert (undone.withdrawn, undone.undone_by) == (2, "owner")
    assert len(sold_of(undone)) == 1
    assert delivered_codes(order) == ["CODE-000000"]
    with pytest.raises(SkuUnavailable):
        place(shop, variant)
    assert import_undo(import_id=batch.pk, schema_name=shop.schema_name, actor="owner").withdrawn == 2
    # What was taken back can be brought again; what was sold stays known.
    again = begun(shop, variant, codes(3))
    drain()
    assert counted(again) == (3, 3, 2, 0, 1, 0)
