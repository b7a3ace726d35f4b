"""Several statements in one message: in their order, failing in time, never outside of their transaction."""

import io
from collections.abc import Iterator
from contextlib import suppress

import psycopg2
import pytest
from django.db import DataError, IntegrityError, connection, transaction
from psycopg2 import ProgrammingError, errors, extensions

from kameng.core import sql
from kameng.core.database.session import Session
from orders.events import event_write
from orders.models import OrderEvent
from resellers.models import Reseller
from tests.factories import on_sale, place


@pytest.fixture
def session(db: None) -> Iterator[Session]:
    """A connection of our own, with a table that is gone afterwards: `seen (id serial, what text unique)`."""
    opened = psycopg2.connect(**connection.get_connection_params())
    opened.autocommit = True
    assert isinstance(opened, Session)
    with opened.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE seen (id serial, what text UNIQUE, CHECK (what <> 'bad'))")
    yield opened
    opened.close()


def put(what: str) -> bytes:
    """A statement that leaves a row."""
    return f"INSERT INTO seen (what) VALUES ('{what}')".encode()


def seen(session: Session) -> list[str]:
    """The rows, in the order in which they were left."""
    with session.cursor() as cursor:
        cursor.execute("SELECT what FROM seen ORDER BY id")
        return [what for (what,) in cursor.fetchall()]


def state(session: Session) -> int:
    """Where the server's transaction is."""
    return session.get_transaction_status()


def test_a_transaction_begins_with_its_first_statement_and_an_empty_one_never_does(session: Session) -> None:
    session.explicit(True)
    assert state(session) == extensions.TRANSACTION_STATUS_IDLE
    session.commit()
    assert state(session) == extensions.TRANSACTION_STATUS_IDLE
    assert seen(session) == []
    assert state(session) == extensions.TRANSACTION_STATUS_INTRANS
    session.commit()
    assert state(session) == extensions.TRANSACTION_STATUS_IDLE


def test_what_waits_is_said_in_its_order_before_the_next_statement_whose_result_counts(session: Session) -> None:
    session.explicit(True)
    session.later(put("first"))
    session.later(put("second"))
    with session.cursor() as cursor:
        cursor.execute("INSERT INTO seen (what) VALUES (%s), (%s)", ["third", "fourth; %"])
        assert cursor.rowcount == 2
    assert seen(session) == ["first", "second", "third", "fourth; %"]
    session.later(put("last"))
    session.commit()
    session.explicit(False)
    assert seen(session)[-1] == "last"


def test_without_a_transaction_it_is_said_at_once_and_fails_at_once(session: Session) -> None:
    session.later(put("now"))
    with pytest.raises(errors.CheckViolation):
        session.later(put("bad"))
    assert seen(session) == ["now"]
    assert state(session) == extensions.TRANSACTION_STATUS_IDLE


def path(session: Session) -> str:
    """Where the server looks for tables."""
    with session.cursor() as cursor:
        cursor.execute("SHOW search_path")
        (found,) = cursor.fetchone() or ("",)
    return str(found)


def test_a_path_goes_with_the_next_statement_and_is_not_sent_twice(session: Session) -> None:
    session.enter("pg_catalog")
    assert session.waiting
    with session.cursor() as cursor:
        cursor.execute("SELECT current_schemas(false)")
        assert cursor.fetchone() == (["pg_catalog"],)
    session.enter("pg_catalog")
    assert not session.waiting


def test_a_path_whose_message_failed_is_nowhere_and_is_sent_again(session: Session) -> None:
    session.enter("public")
    assert path(session) == "public"
    session.enter("pg_catalog")
    with session.cursor() as cursor, pytest.raises(errors.DivisionByZero):
        cursor.execute("SELECT 1 / 0")
    assert path(session) == "public"
    session.enter("pg_catalog")
    assert path(session) == "pg_catalog"


def test_a_path_entered_in_a_transaction_that_is_undone_is_sent_again(session: Session) -> None:
    session.enter("public")
    assert path(session) == "public"
    session.explicit(True)
    session.enter("pg_catalog")
    assert path(session) == "pg_catalog"
    session.rollback()
    session.explicit(False)
    assert path(session) == "public"
    session.enter("pg_catalog")
    assert path(session) == "pg_catalog"


def test_what_is_refused_beside_others_is_said_in_a_message_of_its_own(session: Session) -> None:
    session.enter("public")
    with session.cursor() as cursor:
        cursor.execute("VACUUM seen")
    assert path(session) == "public"


def test_what_fails_late_fails_before_the_commit_and_takes_everything_with_it(session: Session) -> None:
    session.explicit(True)
    session.later(put("good"))
    session.later(put("bad"))
    with pytest.raises(errors.CheckViolation):
        session.commit()
    session.rollback()
    session.explicit(False)
    assert seen(session) == []


def test_a_rollback_forgets_what_waits(session: Session) -> None:
    session.explicit(True)
    session.later(put("undone"))
    session.rollback()
    session.commit()
    session.later(put("kept"))
    session.commit()
    session.explicit(False)
    assert seen(session) == ["kept"]


def test_a_message_that_the_server_cannot_read_leaves_nothing_outside_the_transaction(session: Session) -> None:
    session.explicit(True)
    session.later(put("waiting"))
    with session.cursor() as cursor:
        with pytest.raises(errors.SyntaxError):
            cursor.execute("SELEKT 1")
        assert state(session) == extensions.TRANSACTION_STATUS_IDLE
        with pytest.raises(errors.InFailedSqlTransaction):
            cursor.execute("INSERT INTO seen (what) VALUES ('astray')")
        with pytest.raises(errors.InFailedSqlTransaction):
            cursor.executemany("INSERT INTO seen (what) VALUES (%s)", [["astray"]])
    with pytest.raises(errors.InFailedSqlTransaction):
        session.commit()
    session.rollback()
    assert seen(session) == []


def test_a_statement_that_cannot_be_written_out_is_not_said_and_what_waits_goes_on_waiting(session: Session) -> None:
    session.explicit(True)
    session.later(put("waiting"))
    with session.cursor() as cursor, pytest.raises(ProgrammingError, match="adapt"):
        cursor.execute("SELECT %s", [object()])
    assert state(session) == extensions.TRANSACTION_STATUS_IDLE
    assert seen(session) == ["waiting"]
    session.rollback()
    session.explicit(False)
    assert seen(session) == []


def test_a_transaction_that_is_open_is_not_given_up_in_silence(session: Session) -> None:
    session.explicit(True)
    assert seen(session) == []
    with pytest.raises(ProgrammingError, match="open"):
        session.explicit(False)
    session.rollback()
    session.explicit(False)


def test_ways_around_execute_say_first_what_waits(session: Session) -> None:
    session.explicit(True)
    with session.cursor() as cursor:
        session.later(put("before executemany"))
        cursor.executemany("INSERT INTO seen (what) VALUES (%s)", [["one"], ["two"]])
        session.later(put("before copy"))
        cursor.copy_expert("COPY seen (what) FROM STDIN", io.StringIO("copied\n"))
        session.later(put("before copy_from"))
        cursor.copy_from(io.StringIO("copied too\n"), "seen", columns=["what"])
        session.later(put("before copy_to"))
        out = io.StringIO()
        cursor.copy_to(out, "seen", columns=["what"])
        assert out.getvalue().splitlines()[-1] == "before copy_to"
        session.later(put("before callproc"))
        cursor.callproc("currval", ["seen_id_seq"])
        assert cursor.fetchone() == (9,)
    session.later(put("before a server-side cursor"))
    with session.cursor("walk", withhold=True) as cursor:
        cursor.execute("SELECT what FROM seen ORDER BY id")
        found = [what for (what,) in cursor]
    assert found == [
        "before executemany", "one", "two", "before copy", "copied", "before copy_from", "copied too",
        "before copy_to", "before callproc", "before a server-side cursor",
    ]  # fmt: skip
    session.rollback()
    assert seen(session) == []


def test_a_connection_that_is_lost_is_an_error_and_nothing_of_the_transaction_is_there(session: Session) -> None:
    with connection.cursor() as other:
        other.execute("CREATE TABLE public.kept (what text)")  # undone with the test
        session.explicit(True)
        with session.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone() or (0,)
        session.later(put("lost"))
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with pytest.raises(psycopg2.OperationalError):
        session.commit()
    assert session.closed


# --- through Django --------------------------------------------------------------------------------------------------


class Undo(Exception):
    """Ends a transaction."""


def names(order_id: int) -> list[str]:
    """An order's history."""
    return list(OrderEvent.objects.filter(order_id=order_id).order_by("pk").values_list("name", flat=True))


@pytest.mark.usefixtures("supplier_double")
def test_a_savepoint_that_is_undone_takes_what_waits_in_it_and_nothing_else(shop: Reseller) -> None:
    order = place(shop, on_sale())
    known = names(order.pk)
    with transaction.atomic():
        event_write(order, "outer", actor="test")
        with suppress(Undo), transaction.atomic():
            event_write(order, "inner", actor="test")
            raise Undo
        event_write(order, "after", actor="test")
    assert names(order.pk) == [*known, "outer", "after"]


@pytest.mark.usefixtures("supplier_double")
def test_what_fails_late_is_djangos_error_at_the_end_of_its_savepoint(shop: Reseller) -> None:
    order = place(shop, on_sale())
    known = names(order.pk)
    with pytest.raises(DataError), transaction.atomic():
        event_write(order, "x" * 1000, actor="test")
    event_write(order, "goes on", actor="test")
    assert names(order.pk) == [*known, "goes on"]


@pytest.mark.usefixtures("supplier_double")
def test_what_fails_at_the_commit_is_djangos_error_and_nothing_is_stored(live_shop: Reseller) -> None:
    order = place(live_shop, on_sale())
    known = names(order.pk)
    told: list[str] = []

    @transaction.atomic
    def write() -> None:
        transaction.on_commit(lambda: told.append("committed"))
        event_write(order, "lost", actor="test")
        event_write(order, "x" * 1000, actor="test")

    with pytest.raises(DataError):
        write()
    assert names(order.pk) == known
    assert told == []


@pytest.mark.usefixtures("supplier_double")
def test_outside_of_a_transaction_what_nobody_awaits_still_fails_as_djangos_error(live_shop: Reseller) -> None:
    order = place(live_shop, on_sale())
    known = names(order.pk)
    event = "INSERT INTO orders_orderevent (order_id, name, from_status, to_status, actor, data) VALUES " + (
        "(%s, %s, '', '', 'test', '{}')"
    )
    sql.later(event, [order.pk, "at once"])
    assert names(order.pk) == [*known, "at once"]
    with pytest.raises(IntegrityError):
        sql.later(event, [order.pk, None])
    assert names(order.pk) == [*known, "at once"]


@pytest.mark.usefixtures("supplier_double")
def test_what_waits_is_written_in_the_shop_it_was_meant_for(live_shop: Reseller) -> None:
    order = place(live_shop, on_sale())
    known = names(order.pk)
    with transaction.atomic():
        event_write(order, "here", actor="test")
        connection.set_tenant(Reseller.objects.get(slug="two"))  # type: ignore[attr-defined]
        assert OrderEvent.objects.filter(name="here").count() == 0
    connection.set_tenant(live_shop)  # type: ignore[attr-defined]
    assert names(order.pk) == [*known, "here"]


@pytest.mark.usefixtures("supplier_double")
def test_rows_are_walked_through_inside_a_transaction_and_outside(live_shop: Reseller) -> None:
    order = place(live_shop, on_sale())
    with transaction.atomic():
        event_write(order, "seen too", actor="test")
        inside = [event.name for event in OrderEvent.objects.order_by("pk").iterator(chunk_size=1)]
    assert inside == [event.name for event in OrderEvent.objects.order_by("pk").iterator(chunk_size=1)]
    assert inside[-1] == "seen too"
