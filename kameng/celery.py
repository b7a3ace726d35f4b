"""The worker: runs outbox rows when the bell rings, and polls for them in case it does not."""

import os
import sys
from typing import TYPE_CHECKING

from celery import Celery, bootsteps, signals
from kombu.transport.virtual import QoS

if TYPE_CHECKING:
    from kameng.outbox.poller import Poller

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "kameng.settings.base")
#: Celery would run Django's checks when a worker starts, which loads every page of every site; no worker serves any.
os.environ.setdefault("CELERY_SKIP_CHECKS", "true")

app = Celery("kameng")
app.config_from_object("django.conf:settings", namespace="CELERY")
#: Celery would close the database's connections after every task, and a new one costs more than the task. They are
#: looked at before each task instead, as Django does with requests.
app.conf["CELERY_DB_REUSE_MAX"] = sys.maxsize
#: Bells that nobody has answered yet are not put back, nor written to a file, when the broker goes away.
QoS.restore_at_shutdown = False

#: A tick that is late is of no use; what it would have found, the next one finds.
app.conf.beat_schedule = {
    "sweep": {"task": "kameng.sweep", "schedule": 60.0, "options": {"expires": 50}},
    "scores": {"task": "kameng.scores", "schedule": 30.0, "options": {"expires": 25}},
    "upkeep": {"task": "kameng.upkeep", "schedule": 3600.0, "options": {"expires": 3000}},
    "balances": {"task": "kameng.balances", "schedule": 60.0, "options": {"expires": 50}},
    "suppliers": {"task": "kameng.suppliers", "schedule": 60.0, "options": {"expires": 50}},
}

_pollers: "list[Poller]" = []


@app.task(name="kameng.outbox.run", ignore_result=True)
def outbox_run_task(event_id: int) -> None:
    """Somebody wrote this row a moment ago. If another worker has it, or it is done, there is nothing to do."""
    from kameng.dispatch import dispatch
    from kameng.outbox.services import claim, run

    for claimed in claim(event_id=event_id):
        run(claimed, dispatch)


@app.task(name="kameng.warm", ignore_result=True)
def warm_task(schema_names: list[str]) -> None:
    """Pages of these shops are read: an order may follow."""
    from kameng.warmed import worker_told

    worker_told(schema_names)


@app.task(name="kameng.sweep", ignore_result=True)
def sweep_task() -> None:
    """Put back what is on no list, let merchant keys count whose time has come, and forget requests that are old."""
    from kameng.sweep import sweep
    from payments.merchants.services import gateway_accounts_change_due
    from resellers.clients.keys import nonces_forget

    gateway_accounts_change_due()
    nonces_forget()
    sweep()


@app.task(name="kameng.scores", ignore_result=True)
def scores_task() -> None:
    """Rank suppliers by what happened."""
    from fulfillment.suppliers.scores import scores_refresh

    scores_refresh()


@app.task(name="kameng.upkeep", ignore_result=True)
def upkeep_task() -> None:
    """What is looked at once an hour."""
    from fulfillment.suppliers.results import results_prune
    from fulfillment.suppliers.scores import dependence_watch
    from kameng.privacy.retention import retention_run
    from kameng.reconciliation.services import reconciliation_due
    from resellers.deposits.services import deposits_reckon
    from resellers.ledger.settlement import shops_settle
    from resellers.plans.applications import applications_forget
    from resellers.plans.warnings import tenures_watch

    dependence_watch()
    results_prune()
    shops_settle()
    deposits_reckon()
    reconciliation_due()
    retention_run()
    applications_forget()
    tenures_watch()


@app.task(name="kameng.balances", ignore_result=True)
def balances_task() -> None:
    """Sum up what is new in the book, by accounts and then by days."""
    from django.utils import timezone

    from resellers.ledger.balances import balances_snapshot
    from resellers.ledger.days import days_reckon

    moment = timezone.now()
    if balances_snapshot():
        days_reckon(at=moment)


@app.task(name="kameng.suppliers", ignore_result=True)
def suppliers_task() -> None:
    """Price lists, balances and the age of rates."""
    from fulfillment.suppliers.upkeep import suppliers_upkeep

    suppliers_upkeep()


@signals.task_prerun.connect
@signals.task_postrun.connect
def look_at_connections(**_: object) -> None:
    """One that is broken or old is given up before it is needed; afterwards others may have it."""
    from django.db import close_old_connections

    close_old_connections()


class _Polling(bootsteps.StartStopStep):
    """The poller starts before the broker is reached, because it does not need one, and after Celery has written its
    last word into the environment: a thread that reads it meanwhile, as each new database connection does, may read
    what has just been freed, and ends the process (getenv(3): not safe beside setenv)."""

    requires = ("celery.worker.components:Timer",)

    def start(self, parent: object) -> None:
        from kameng.core.database.sessions import sessions
        from kameng.core.database.warming import warming
        from kameng.dispatch import dispatch
        from kameng.outbox.poller import Poller
        from kameng.warmed import STATEMENT

        sessions.shared, warming.statement, warming.process = True, STATEMENT, "worker"
        _pollers.append(Poller(dispatch))
        _pollers[-1].start()


app.steps["worker"].add(_Polling)


@signals.worker_shutting_down.connect
def stop_poller(**_: object) -> None:
    """Take no new work."""
    for poller in _pollers:
        poller.stop()
