"""What migrations say to the database, written down once and said again in every shop that lacks the same ones.

Django's own way costs each shop half a second, most of it to work out in Python what it has worked out for the shop
before. Where all of it is plain SQL, the statements are the same for every shop: they name no schema and are read along
the search path. Where they are not, `Uncopyable` says why, and Django has to be asked for each shop.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import connection, transaction
from django.db.migrations import operations
from django.db.migrations.exceptions import InconsistentMigrationHistory
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED, Field
from django_tenants.utils import schema_context

_PLAIN_MODULE = "django.db.migrations.operations."
#: What Django says around statements, which asks nothing.
_FRAME = ("SET search_path", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT")
#: Between two migrations, where Django would commit: a table whose rows wait to be checked can't be altered.
_CONSTRAINTS_CHECKED = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;"


class Uncopyable(Exception):
    """These migrations do more than say the same statements in every shop."""


class MovedOn(Exception):
    """Somebody else has migrated the shop meanwhile, and it lacks something else now."""


@dataclass(frozen=True)
class Script:
    """What shops that lack the same migrations have to be told, and what they record of it, in order."""

    statements: tuple[str, ...]
    records: tuple[tuple[str, str], ...]
    #: All there are, as `(app, model)`: Django sees to them after each run.
    content_types: tuple[tuple[str, str], ...]


def script_write(schema_name: str) -> Script:
    """What the shop `schema_name` lacks, as statements. Nothing is changed. Raises `Uncopyable`."""
    with schema_context(schema_name):
        executor = MigrationExecutor(connection)
        loader = executor.loader
        try:
            loader.check_consistent_history(connection)
        except InconsistentMigrationHistory as error:
            raise Uncopyable(str(error)) from error
        plan = [migration for migration, _backwards in executor.migration_plan(loader.graph.leaf_nodes())]
        for migration in plan:
            plain_or_raise(migration)
        applied = [key for key in loader.applied_migrations if key in loader.graph.nodes]
        state = loader.project_state(sorted(applied))
        _ = state.apps  # all models at once: left to the operations, each would make them anew
        said: list[str] = []
        with _noticing_questions(said):
            for migration in plan:
                if said:
                    said.append(_CONSTRAINTS_CHECKED)
                # What a migration puts off to its end is collected when the editor is left.
                with connection.schema_editor(collect_sql=True) as editor:
                    editor.collected_sql = said
                    state = migration.apply(state, editor)
    return Script(
        tuple(said), tuple((migration.app_label, migration.name) for migration in plan), tuple(_content_types(state))
    )


def replay(schema_name: str, script: Script, *, lock_timeout_ms: int) -> bool:
    """Say a script in one shop and record it, all or nothing; False where somebody else has done so meanwhile.

    Raises `MovedOn`, and what the database raises: a lock that is not to be had within `lock_timeout_ms` among it.
    """
    recorded = f"{connection.ops.quote_name(schema_name)}.django_migrations"
    content_type = f"{connection.ops.quote_name(schema_name)}.django_content_type"
    apps_, names = (list(column) for column in zip(*script.records, strict=True))
    with schema_context(schema_name), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{lock_timeout_ms}ms"])
        # Who else migrates this shop waits here, and then sees that it is done.
        cursor.execute(f"LOCK TABLE {recorded} IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(
            f"SELECT count(*) FROM {recorded}"
            " JOIN unnest(%s::text[], %s::text[]) AS wanted (app, name) USING (app, name)",
            [apps_, names],
        )
        if there := cursor.fetchone()[0]:
            if there == len(script.records):
                return False
            raise MovedOn("it was migrated by somebody else meanwhile; run it again")
        for statement in script.statements:
            cursor.execute(statement)
        cursor.execute(
            f"INSERT INTO {recorded} (app, name, applied) SELECT app, name, now()"
            " FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS done (app, name, place) ORDER BY place",
            [apps_, names],
        )
        labels, models = (list(column) for column in zip(*script.content_types, strict=True))
        cursor.execute(
            f"INSERT INTO {content_type} (app_label, model) SELECT app, name"
            " FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS known (app, name, place)"
            f" WHERE NOT EXISTS (SELECT FROM {content_type} WHERE app_label = app AND model = name) ORDER BY place",
            [labels, models],
        )
    return True


def plain_or_raise(migration: Migration) -> None:
    """Raises `Uncopyable`. What belongs to public alone is only recorded in a shop, whatever it does."""
    if apps.get_app_config(migration.app_label).name not in settings.TENANT_APPS:
        return
    name = f"{migration.app_label}.{migration.name}"
    if migration.replaces:
        raise Uncopyable(f"{name} takes the place of others")
    if not migration.atomic:
        raise Uncopyable(f"{name} is not atomic")
    for operation in migration.operations:
        if why := _why_not_plain(operation):
            raise Uncopyable(f"{name}: {why}")


def _why_not_plain(operation: Operation) -> str:
    """Why an operation is more than statements that are the same everywhere; empty where it is not."""
    if isinstance(operation, operations.SeparateDatabaseAndState):
        return next(filter(None, map(_why_not_plain, operation.database_operations)), "")
    kind = type(operation)
    if not kind.__module__.startswith(_PLAIN_MODULE) or not operation.reduces_to_sql:
        return f"{kind.__name__} is not plain SQL"
    if isinstance(operation, operations.RenameModel):
        return "RenameModel also moves rows of content types, in Python"
    field = getattr(operation, "field", None)
    if isinstance(field, Field) and _varies(field):
        return f"the default of {getattr(operation, 'name', '')} is another one each time"
    return ""


def _varies(field: "Field[Any, Any]") -> bool:
    """Whether a default that rows get from Python would be shared by all shops although it must not be."""
    default: Callable[[], object] | object = field.default
    if not callable(default) or default is NOT_PROVIDED or field.db_default is not NOT_PROVIDED:
        return False
    return bool(default() != default())


@contextmanager
def _noticing_questions(said: list[str]) -> Iterator[None]:
    """Nothing is asked of the database once something was said: its answer would not know of that yet.

    Django looks constraints up by what is there, for instance before it changes a foreign key.
    """

    def notice(execute: Callable[..., Any], statement: str, *rest: Any) -> Any:
        if said and not statement.startswith(_FRAME):
            raise Uncopyable(f"what comes after `{said[-1][:80]}` depends on what the database holds by then")
        return execute(statement, *rest)

    with connection.execute_wrapper(notice):
        yield


def _content_types(state: ProjectState) -> Iterator[tuple[str, str]]:
    """Of every model, as Django makes them after a run."""
    for config in apps.get_app_configs():
        if config.models_module is not None and config.label in state.apps.app_configs:
            for model in state.apps.get_app_config(config.label).get_models():
                yield config.label, str(model._meta.model_name)
