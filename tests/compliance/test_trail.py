"""The audit trail: each decision in it once, in one chain; whatever is done to it is refused, or else found."""

import io
import json
import re
import subprocess
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from compliance.models import License, Rule
from compliance.rules import rule_save, rules_load
from compliance.services import Terms, license_add, license_replace, license_revoke, requirements_set
from compliance.trail import selectors, services
from compliance.trail.chain import digest
from compliance.trail.models import AuditEntry
from compliance.trail.services import entry_append
from kameng.audit.trail import GUARDS, trail_is_whole
from kameng.core.problems import Invalid
from resellers.models import Reseller
from tests.races.threads import BRIEFLY, SURELY, at_once, pause_after
from tests.staff import operator

ACTOR = "staff:operator"
TERMS = Terms("brand", "A-1", "腾讯", date(2026, 1, 1), date(2026, 12, 31), ("games",))
HEAD = (
    "UPDATE public.trail_head SET sequence = {}, hash = (SELECT hash FROM public.trail_auditentry WHERE sequence = {})"
)
TABLE = "public.trail_auditentry"
ADDED = f"INSERT INTO {TABLE} SELECT {{}}, at, actor, subject, action, data, {{}}, {{}} FROM {TABLE}"


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selectors, "BLOCK", 2)


def decide(number: int) -> AuditEntry:
    return entry_append(
        actor=ACTOR, subject=f"license:{number}", action="license.added", data={"note": f"“{number}”\n\x7f😀"}
    )


@pytest.fixture
def chain(db: None) -> list[AuditEntry]:
    """Five decisions; the fourth is about the same license as the second."""
    return [decide(number) for number in (1, 2, 3, 2, 5)]


def write(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def unguarded(*statements: str) -> None:
    """Do what the database refuses, as somebody who owns the tables can."""
    tables = (TABLE, "public.trail_head")
    write(*(f"ALTER TABLE {table} DISABLE TRIGGER USER" for table in tables))
    write(*statements)
    write(*(f"ALTER TABLE {table} ENABLE TRIGGER USER" for table in tables))


def exported(**options: Any) -> str:
    out = io.StringIO()
    call_command("audit_trail", json_lines=True, stdout=out, stderr=io.StringIO(), **options)
    return out.getvalue()


# --- what gets in -------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_people_decide_about_licenses_and_rules_is_one_chain() -> None:
    paper = license_add(supplier="first", terms=TERMS, actor=ACTOR)
    assert license_add(supplier="first", terms=TERMS, actor="staff:other") == paper
    newer = license_replace(license_id=paper.pk, terms=Terms("brand", "A-2", "腾讯", date(2027, 1, 1)), actor=ACTOR)
    assert license_revoke(license_id=newer.pk, actor="staff:other")
    assert not license_revoke(license_id=newer.pk, actor=ACTOR)
    assert requirements_set(category="games", kinds=["brand"], actor=ACTOR)
    assert not requirements_set(category="games", kinds=["brand"], actor=ACTOR)
    rule = Rule.objects.get(category="game_cheat", code="cheat")
    terms = rule.terms
    rule.terms = [*terms, "新词某某"]
    rule_save(rule=rule, actor=ACTOR)
    rule.misses = ["和平精英外挂"]
    with pytest.raises(Invalid):
        rule_save(rule=rule, actor=ACTOR)
    rule_save(rule=Rule(category="vpn", code="ours", severity="low", terms=["某某"], hits=["某某"]), actor=ACTOR)
    Rule.objects.filter(code="coins").update(note="older")
    assert (rules_load(), rules_load()) == (1, 0)
    told = [(entry.actor, entry.subject, entry.action) for entry in AuditEntry.objects.all()]
    assert told == [
        (ACTOR, f"license:{paper.pk}", "license.added"),
        (ACTOR, f"license:{paper.pk}", "license.replaced"),
        (ACTOR, f"license:{newer.pk}", "license.added"),
        ("staff:other", f"license:{newer.pk}", "license.revoked"),
        (ACTOR, "requirement:games", "requirement.set"),
        (ACTOR, "rule:game_cheat/cheat", "rule.changed"),
        (ACTOR, "rule:vpn/ours", "rule.added"),
        ("system", "rules:software", "rules.renewed"),
    ]
    data = [entry.data for entry in AuditEntry.objects.all()]
    assert (data[0]["number"], data[0]["valid_until"], data[0]["categories"]) == ("A-1", "2026-12-31", ["games"])
    assert (data[1], data[2]["replaces"]) == ({"by": f"license:{newer.pk}"}, f"license:{paper.pk}")
    assert data[4] == {"before": [], "after": ["brand"]}
    assert data[5] == {"version": 2, "before": {"terms": terms}, "after": {"terms": [*terms, "新词某某"]}}
    assert (data[6]["version"], data[6]["before"], data[6]["after"]["terms"]) == (1, {}, ["某某"])
    (renewed,) = data[7]["renewed"]
    assert renewed.endswith("/coins")
    assert list(trail_is_whole()) == []


def test_a_decision_that_cannot_be_written_down_is_not_made(chain: list[AuditEntry]) -> None:
    for odd in (1.5, {1: "a"}, object()):
        with pytest.raises(TypeError):
            entry_append(actor=ACTOR, subject="license:1", action="license.added", data={"odd": odd})
    for wrong in ({"subject": "license"}, {"actor": ""}):
        with pytest.raises(IntegrityError), transaction.atomic():
            entry_append(**{"actor": ACTOR, "subject": "license:1", "action": "license.added", **wrong})  # type: ignore[arg-type]
    last = entry_append(actor=ACTOR, subject="x:1", action="x", data={"at": chain[0].at, "is": (Decimal("1.50"), None)})
    assert last.data == {"at": chain[0].written_down()["at"], "is": ["1.50", None]}
    assert AuditEntry.objects.get(pk=6).written_down() == last.written_down()
    unguarded("DELETE FROM public.trail_head")
    with pytest.raises(services.HeadMissing):
        license_add(supplier="first", terms=TERMS, actor=ACTOR)
    assert License.objects.count() == 0


@pytest.mark.race
@pytest.mark.parametrize("locked", [True, False])
def test_two_who_decide_at_once_make_one_chain(
    live_shop: Reseller, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    """Without the lock the second one is refused by the database, and the chain has no fork either."""
    if not locked:
        monkeypatch.setattr(services, "_HEAD", services._HEAD.removesuffix(" FOR UPDATE"))
    pause_after(monkeypatch, "compliance.trail.services._head", patience=BRIEFLY if locked else SURELY)
    results = at_once(live_shop, lambda: decide(1), lambda: decide(2))
    assert {type(result) for result in results} == ({AuditEntry} if locked else {AuditEntry, IntegrityError})
    assert [entry.sequence for entry in AuditEntry.objects.all()] == ([1, 2] if locked else [1])
    assert list(trail_is_whole()) == []


# --- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE public.trail_auditentry SET actor = actor",
        "DELETE FROM public.trail_auditentry WHERE sequence = 5",
        "TRUNCATE public.trail_auditentry",
        "DELETE FROM public.trail_head",
        "TRUNCATE public.trail_head",
        "UPDATE public.trail_head SET hash = repeat('a', 64)",
        HEAD.format(4, 4),
        "INSERT INTO public.trail_head SELECT 2, sequence, hash FROM public.trail_head",
        ADDED.format(7, "hash", "repeat('a', 64)") + " WHERE sequence = 5",
        ADDED.format(6, "previous", "repeat('a', 64)") + " WHERE sequence = 5",
    ],
)
def test_the_database_lets_nobody_change_the_chain(chain: list[AuditEntry], change: str) -> None:
    refusals = r"only ever added to|only moves on|does not follow|trail_head_is_one"
    with pytest.raises(DatabaseError, match=refusals), transaction.atomic():
        write(change)
    assert [entry.written_down() for entry in AuditEntry.objects.all()] == [one.written_down() for one in chain]
    assert list(trail_is_whole()) == []


# --- what is found ------------------------------------------------------------------------------------

CHANGED = 'UPDATE public.trail_auditentry SET data = \'{"note": "x"}\' WHERE sequence = '
TAMPERED: dict[str, tuple[list[str], list[str]]] = {
    "changed": ([CHANGED + "3"], ["entry #3 is not what was written: license.added license:3"]),
    "moved in time": (
        ["UPDATE public.trail_auditentry SET at = at - interval '1 microsecond' WHERE sequence = 5"],
        ["entry #5 is not what was written: license.added license:5"],
    ),
    "taken out": (
        ["DELETE FROM public.trail_auditentry WHERE sequence IN (2, 3)"], ["entries #2 to #3 are missing"],
    ),
    "the first taken out": (["DELETE FROM public.trail_auditentry WHERE sequence = 1"], ["entry #1 is missing"]),
    "cut off": (
        ["DELETE FROM public.trail_auditentry WHERE sequence > 3"], ["entries #4 to #5 are missing at the end"],
    ),
    "emptied": (["DELETE FROM public.trail_auditentry"], ["entries #1 to #5 are missing at the end"]),
    "put in after the end": (
        [ADDED.format(6, "hash", "repeat('a', 64)") + " WHERE sequence = 5"],
        ["entry #6 is none of the chain's: license.added license:5"],
    ),
    "put in before the beginning": (
        [ADDED.format(-1, "previous", "hash") + " WHERE sequence = 1"],
        ["entry #-1 is none of the chain's: license.added license:1"],
    ),
    "exchanged for another": (
        [
            "DELETE FROM public.trail_auditentry WHERE sequence = 2",
            ADDED.format(2, "previous", "hash") + " WHERE sequence = 4",
        ],
        [
            "entry #2 does not follow the one before as that one stands there",
            "entry #2 is not what was written: license.added license:2",
            "entry #3 does not follow the one before as that one stands there",
        ],
    ),
    "a head set back": ([HEAD.format(4, 4)], ["entry #5 is none of the chain's: license.added license:5"]),
    "another head": (
        ["UPDATE public.trail_head SET hash = repeat('a', 64)"],
        ["the trail's head is not entry #5 as it stands there"],
    ),
    "no head": (
        ["DELETE FROM public.trail_head"], ["the trail's head is missing: nobody can say where the chain ends"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", TAMPERED)
def test_whatever_is_done_to_the_chain_is_found(chain: list[AuditEntry], how: str) -> None:
    statements, found = TAMPERED[how]
    unguarded(*statements)
    assert list(trail_is_whole()) == found


@pytest.mark.parametrize(
    ("place", "found"),
    [
        (3, "entry #4 does not follow the one before as that one stands there"),
        (5, "the trail's head is not entry #5 as it stands there"),
    ],
)
def test_an_entry_that_was_changed_together_with_its_hash_is_found(
    chain: list[AuditEntry], place: int, found: str
) -> None:
    entry = chain[place - 1]
    changed = digest({**entry.written_down(), "data": {"note": "x"}})
    unguarded(CHANGED + str(place), f"UPDATE public.trail_auditentry SET hash = '{changed}' WHERE sequence = {place}")
    assert list(trail_is_whole()) == [found]


@pytest.mark.django_db
def test_a_guard_that_is_off_or_gone_is_found() -> None:
    write(
        "ALTER TABLE public.trail_auditentry DISABLE TRIGGER trail_entry_stays",
        "DROP TRIGGER trail_head_moves_on ON public.trail_head",
    )
    missing = ("trail_entry_stays", "trail_head_moves_on")
    assert list(trail_is_whole()) == [f"the trail is without its guard {guard}" for guard in missing]
    with connection.cursor() as cursor:
        cursor.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgname LIKE 'trail%'")
        assert {name for (name,) in cursor.fetchall()} == set(GUARDS) - {"trail_head_moves_on"}


# --- what gets out ------------------------------------------------------------------------------------


def checked(lines: str) -> tuple[int, str]:
    """What the program in docs/operations.md makes of an export: its exit code, and what it says."""
    text = (Path(settings.BASE_DIR) / "docs/operations.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(import hashlib.*?)```", text, re.DOTALL)
    ran = subprocess.run(
        [sys.executable, "-S", "-c", program],
        input=lines,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    return ran.returncode, (ran.stdout or ran.stderr).strip()


def test_an_export_is_checked_by_ten_lines_of_python(chain: list[AuditEntry]) -> None:
    whole, last = exported(), chain[-1].hash
    lines = whole.splitlines(keepends=True)
    assert checked(whole) == (0, f"5 entries, 0 left out, up to 5 {last}")
    assert checked(exported(subject="license:2")) == (0, f"2 entries, 2 left out, up to 4 {chain[3].hash}")
    for wrong, place in (
        (whole.replace("“3”", "“4”"), 3),
        ("".join([lines[0], *lines]), 1),
        ("".join(reversed(lines)), 4),
    ):
        assert checked(wrong) == (1, f"entry {place} is not what was written, or not in its place")


def test_an_export_is_of_what_was_asked_for(chain: list[AuditEntry]) -> None:
    requirements_set(category="games", kinds=["brand"], actor=ACTOR)
    today = timezone.localdate()
    assert [json.loads(line)["sequence"] for line in exported(subject="license").splitlines()] == [1, 2, 3, 4, 5]
    assert len(exported(since=today).splitlines()) == 6
    assert exported(since=today + timedelta(days=1)) == ""
    out, err = io.StringIO(), io.StringIO()
    call_command("audit_trail", "--subject", "requirement:games", stdout=out, stderr=err)
    assert re.fullmatch(
        r"#6 \d{4}-\d\d-\d\d [\d:]{8} staff:operator requirement.set requirement:games {.*}\n", out.getvalue()
    )
    assert err.getvalue() == "1 entries\n"
    with pytest.raises(CommandError, match="is no day"):
        call_command("audit_trail", "--since", "yesterday")


def test_operators_see_what_was_decided_about_a_thing_and_take_it_along(chain: list[AuditEntry]) -> None:
    requirements_set(category="games", kinds=["brand"], actor=ACTOR)
    client, page = operator(), "/admin/trail/auditentry/"
    for query, sequences in (
        ("", [6, 5, 4, 3, 2, 1]),
        ("?subject=license%3A2", [4, 2]),
        ("?kind=requirement", [6]),
        ("?q=license%3A3", [3]),
    ):
        shown = client.get(page + query)
        assert [entry.sequence for entry in shown.context["cl"].result_list] == sequences
        link = f"/admin/audit-trail/export/{query or '?'}"
        assert f'href="{link}"' in shown.content.decode()
        taken = client.get(link)
        assert taken["Content-Disposition"] == 'attachment; filename="audit-trail.jsonl"'
        assert [json.loads(line)["sequence"] for line in taken.getvalue().splitlines()] == sequences[::-1]
    assert "“2”" in client.get(f"{page}2/change/").content.decode()
    assert client.post(f"{page}2/change/", {"actor": "staff:nobody"}).status_code == 403
    assert client.get("/admin/audit-trail/export/?nothing=1").status_code == 404
    assert list(trail_is_whole()) == []
