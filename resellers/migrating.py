"""Bringing every shop's schema up to the code, skipping those that are there already.

Walking the migrations of a shop costs half a second even when there is nothing to do, and the catalogue queries behind
it slow down with every schema. So one query compares what each shop has recorded, and for those that are behind in the
same way the statements are written down once (`resellers.replaying`) and said in each shop, in a transaction of its own
with what is recorded about it: whenever a run is killed, a shop is done or untouched, and the next run goes on.
"""

import os
import random
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.db.migrations.loader import MigrationLoader
from psycopg2 import errors

from resellers.models import Reseller
from resellers.replaying import Script, Uncopyable, replay, script_write

#: How often a shop is tried whose tables somebody else holds.
TRIES = 5
#: How long to wait before the next try of those, in seconds: drawn anew each time, and longer each time.
PAUSE_SECONDS, PAUSE_GROWTH = 0.5, 2.0
LOCK_TIMEOUT_MS = 2000
JOBS = min(2, os.cpu_count() or 1)


@dataclass(frozen=True)
class Behind:
    """A shop and the migrations that it lacks, as `app.name`."""

    shop: Reseller
    missing: tuple[str, ...]
    #: With those of public alone, which a shop records beside its own: who lacks the same is told the same.
    lacking: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Outcome:
    """What became of one shop."""

    shop: Reseller
    missing: tuple[str, ...]
    #: Why it is still behind; empty where it is not.
    left: str = ""


class _Locked(Exception):
    """Somebody holds a table of the shop: it may be tried again."""


def shop_migrations() -> set[str]:
    """Every migration that makes up a shop's schema, as `app.name`."""
    return _of_shops(_on_disk())


def _on_disk() -> set[tuple[str, str]]:
    return set(MigrationLoader(None).disk_migrations)


def _of_shops(migrations: Iterable[tuple[str, str]]) -> set[str]:
    labels = {config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS}
    return {f"{app}.{name}" for app, name in migrations if app in labels}


def shops_behind() -> list[Behind]:
    """Shops whose schema lacks something, by one query over all of them."""
    on_disk = _on_disk()
    wanted, everything = _of_shops(on_disk), {f"{app}.{name}" for app, name in on_disk}
    shops = {shop.schema_name: shop for shop in Reseller.objects.exclude(schema_name="public").order_by("pk")}
    if not shops:
        return []
    quoted = {name: connection.ops.quote_name(name) for name in shops}
    union = " UNION ALL ".join(
        f"SELECT %s, array_agg(app || '.' || name) FROM {quoted[name]}.django_migrations" for name in shops
    )
    with connection.cursor() as cursor:
        cursor.execute(union, list(shops))
        recorded = {name: set(done or ()) for name, done in cursor.fetchall()}
    return [
        Behind(shop, tuple(sorted(wanted - recorded[name])), frozenset(everything - recorded[name]))
        for name, shop in shops.items()
        if not wanted <= recorded[name]
    ]


def shops_migrate(
    behind: list[Behind] | None = None,
    *,
    jobs: int = 1,
    lock_timeout_ms: int = LOCK_TIMEOUT_MS,
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[Outcome]:
    """Migrate those that are behind (asked for where not given), `jobs` at a time; each is yielded once it has ended.

    One that fails holds up no other. A shop that was opened meanwhile, by code that is older than this, is seen to in
    the end. A run can be stopped at any moment and begun again.
    """
    seen: set[int] = set()
    found = shops_behind() if behind is None else behind
    while found:
        seen.update(one.shop.pk for one in found)
        alike = defaultdict(list)
        for one in found:
            alike[one.lacking].append(one)
        for group in alike.values():
            yield from _group_migrate(group, jobs, lock_timeout_ms, pause)
        found = [one for one in shops_behind() if one.shop.pk not in seen]


def _group_migrate(
    group: list[Behind], jobs: int, lock_timeout_ms: int, pause: Callable[[float], None]
) -> Iterator[Outcome]:
    try:
        script: Script | None = script_write(group[0].shop.schema_name)
    except Uncopyable:
        script, jobs = None, 1  # Django keeps content types of the schema at hand for all threads together
    for tried in range(1, TRIES + 1):
        held: list[Behind] = []
        for one, result in _each(group, lambda shop: _migrate(shop, script, lock_timeout_ms), jobs):
            if isinstance(result, _Locked) and tried < TRIES:
                held.append(one)
            else:
                yield Outcome(one.shop, one.missing, "" if result is None else _words(result))
        if not held:
            return
        group = held
        pause(PAUSE_SECONDS * PAUSE_GROWTH ** (tried - 1) * random.uniform(0.5, 1.5))


def _migrate(shop: Reseller, script: Script | None, lock_timeout_ms: int) -> None:
    """Raises `_Locked`, or what went wrong."""
    try:
        if script is None:
            _by_django(shop, lock_timeout_ms)
        else:
            replay(shop.schema_name, script, lock_timeout_ms=lock_timeout_ms)
    except DatabaseError as error:
        if isinstance(error.__cause__, errors.LockNotAvailable | errors.DeadlockDetected):
            raise _Locked(f"somebody held its tables each of {TRIES} times") from error
        raise


def _by_django(shop: Reseller, lock_timeout_ms: int) -> None:
    """As Django and django-tenants do it, one migration a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{lock_timeout_ms}ms"])
    try:
        call_command("migrate_schemas", schema_name=shop.schema_name, verbosity=0)
    finally:
        connection.set_schema_to_public()  # type: ignore[attr-defined]
        if not connection.in_atomic_block:
            connection.close()  # what was set for the session ends with it


def _each(
    group: list[Behind], work: Callable[[Reseller], None], jobs: int
) -> Iterator[tuple[Behind, Exception | None]]:
    """Do something for each shop, in threads with connections of their own where there is more than one."""
    todo = deque(group)
    if min(jobs, len(todo)) <= 1:
        while todo:
            one = todo.popleft()
            yield one, _tried(work, one.shop)
        return
    done: SimpleQueue[tuple[Behind, Exception | None]] = SimpleQueue()

    def run() -> None:
        try:
            while todo:
                try:
                    one = todo.popleft()
                except IndexError:
                    return
                done.put((one, _tried(work, one.shop)))
        finally:
            connection.close()

    threads = [Thread(target=run, name=f"migrate-{number}") for number in range(min(jobs, len(todo)))]
    for thread in threads:
        thread.start()
    try:
        for _ in group:
            yield done.get()
    finally:
        todo.clear()
        for thread in threads:
            thread.join()


def _tried(work: Callable[[Reseller], None], shop: Reseller) -> Exception | None:
    try:
        work(shop)
    except Exception as error:  # whatever a migration does wrong in one shop, it holds up no other
        if not connection.in_atomic_block and not isinstance(error, _Locked):
            connection.close()  # it may be dead; the next shop gets a new one
        return error
    return None


def _words(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
