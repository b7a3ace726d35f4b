"""Work to be done, written in the transaction that makes it true."""

from django.db import models
from django.db.models.functions import Now


class OutboxEvent(models.Model):
    """One unit of work for one shop (or for the platform: `schema_name` is then `public`).

    A row lives as long as its work: the worker that finishes it deletes it. `lease_until` says how long somebody has it
    in hand, `fence` grows with every claim, so that whoever lost the lease cannot finish it any more.
    """

    schema_name = models.CharField(max_length=63)
    topic = models.CharField(max_length=64)
    payload = models.JSONField(default=dict)
    run_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["run_at"], name="outbox_event_due")]

    def __str__(self) -> str:
        return f"{self.schema_name}:{self.topic}#{self.pk}"


class Heartbeat(models.Model):
    """When a poller was last seen at work, by the database's clock."""

    name = models.CharField(max_length=120, primary_key=True)
    seen_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class SweptShop(models.Model):
    """What the last sweeps saw of a shop (`kameng.sweep`)."""

    schema_name = models.CharField(max_length=63, primary_key=True)
    #: Rows that were written in the tables that the sweep reads, as the database counts them.
    changes = models.BigIntegerField()
    #: When there was last something on its lists, or a change.
    active_at = models.DateTimeField()
    swept_at = models.DateTimeField(null=True)
    #: How many there were when nothing was open, so that until there are more nothing can be.
    settled = models.BigIntegerField(null=True)

    def __str__(self) -> str:
        return self.schema_name
