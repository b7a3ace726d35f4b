"""Asking a supplier about an attempt, and what it answered: how long that takes is a part of its score."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from fulfillment.suppliers.models import AfterSalesRequest
from kameng.core import sql
from kameng.core.problems import Problem

Answer = AfterSalesRequest.Answer

#: Characters of a question or an answer.
LONGEST_TEXT = 400
#: Days over which a supplier's time to answer is told.
ANSWER_DAYS = 30


class AfterSalesRefused(Problem):
    """A question or an answer that cannot be; `fields` say why."""

    code = "after_sales_refused"
    message = _("没有记下来")


@transaction.atomic
def after_sales_ask(
    *, supplier_id: int, schema_name: str, reference: str, question: str, actor: str
) -> AfterSalesRequest:
    """We have asked a supplier about one of its attempts: from now on its time to answer runs.

    While a question about the attempt is open, the same one is returned. Raises `AfterSalesRefused`.
    """
    text = question.strip()
    if not text:
        raise AfterSalesRefused(fields={"question": _("写下问了对方什么")})
    if len(text) > LONGEST_TEXT:
        raise AfterSalesRefused(fields={"question": _("太长了，最多 400 个字")})
    asked = AfterSalesRequest(
        supplier_id=supplier_id, schema_name=schema_name, reference=reference, question=text, asked_by=actor[:80]
    )
    # The partial unique index allows one open question; whoever comes second finds the first one's.
    AfterSalesRequest.objects.bulk_create([asked], ignore_conflicts=True)
    return AfterSalesRequest.objects.get(reference=reference, answer="")


@transaction.atomic
def after_sales_answer(*, request_id: int, answer: str, answer_text: str, actor: str) -> AfterSalesRequest:
    """The supplier has answered: its time stops. An answer is recorded once; recording it again changes nothing.

    Raises `AfterSalesRequest.DoesNotExist` and `AfterSalesRefused`.
    """
    if answer not in Answer.values:
        raise AfterSalesRefused(fields={"answer": _("选一个结果")})
    text = answer_text.strip()
    if answer in (Answer.OTHER, Answer.REFUSED) and not text:
        raise AfterSalesRefused(fields={"answer_text": _("写下对方怎么说")})
    if len(text) > LONGEST_TEXT:
        raise AfterSalesRefused(fields={"answer_text": _("太长了，最多 400 个字")})
    asked = AfterSalesRequest.objects.select_for_update().get(pk=request_id)
    if asked.answer:
        if (asked.answer, asked.answer_text) != (answer, text):
            raise AfterSalesRefused(_("这个问题已经记过答复了"))
        return asked
    asked.answer, asked.answer_text, asked.answered_by = answer, text, actor[:80]
    asked.answered_at = Now()
    asked.save(update_fields=["answer", "answer_text", "answered_by", "answered_at"])
    asked.refresh_from_db()
    return asked


@dataclass(frozen=True, slots=True)
class Answering:
    """How a supplier answers: open questions, those answered in the last 30 days, and half of these within seconds."""

    name: str
    open: int
    answered: int
    median: float | None


_ANSWERING = """
SELECT supplier.name, count(*) FILTER (WHERE asked.answer = ''),
       count(*) FILTER (WHERE asked.answered_at >= statement_timestamp() - make_interval(days => %(days)s)),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM asked.answered_at - asked.asked_at))
           FILTER (WHERE asked.answered_at >= statement_timestamp() - make_interval(days => %(days)s))
  FROM public.suppliers_aftersalesrequest AS asked
  JOIN public.suppliers_supplier AS supplier ON supplier.id = asked.supplier_id
 GROUP BY supplier.id, supplier.name ORDER BY 2 DESC, 1
"""


def answering() -> list[Answering]:
    """Every supplier that was ever asked, the one with the most open questions first."""
    rows = sql.rows_anywhere(sql.Report(_ANSWERING), {"days": ANSWER_DAYS})
    return [
        Answering(name, waiting, answered, None if median is None else float(median))
        for name, waiting, answered, median in rows
    ]


def asked_about(references: Collection[str]) -> list[AfterSalesRequest]:
    """Everything that was asked about these attempts, oldest first."""
    return list(AfterSalesRequest.objects.filter(reference__in=list(references)).order_by("pk"))
