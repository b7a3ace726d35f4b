"""`manage.py translations`: bring the English words up to date with the source, or check that they are.

The source is Chinese, so every text of ours is an entry of locale/en. Other folders in locale/ translate what the
packages say; they are compiled and checked, and their entries are written by hand.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polib
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation.template import templatize

from kameng.embedded.paths import ROOT

LOCALE = ROOT / "locale"
ENGLISH = LOCALE / "en" / "LC_MESSAGES" / "django.po"
#: Folders at the top of the checkout that say nothing to people who use a shop.
SILENT = {"bench", "docs", "locale", "static", "staticfiles", "tests", "var"}
#: What Django's functions are called, beside those that xgettext knows from Python (GNU gettext, "Language: Python").
KEYWORDS = (
    "gettext_lazy", "gettext_noop", "ngettext_lazy:1,2", "pgettext:1c,2", "pgettext_lazy:1c,2",
    "npgettext:1c,2,3", "npgettext_lazy:1c,2,3",
)  # fmt: skip
HAN = re.compile("[\u4e00-\u9fff]")
#: What a translation must take over as it is: %(name)s, %s, %%, {name} and HTML tags.
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%[sd%]|\{\w*\}|<[^>]+>")


class Command(BaseCommand):
    help = (
        "Bring locale/en up to date with the source and compile it; --check says whether that is so. Needs no servers."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing; exit 1 where something is missing")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["check"]:
            self._check()
        else:
            self._update()

    def _update(self) -> None:
        """Extract, keep every translation whose text is still in the source, compile all."""
        source = extract(ROOT)
        if source is None:
            raise CommandError("xgettext is missing: install GNU gettext (Debian: apt-get install gettext)")
        merge(polib.pofile(str(ENGLISH)), source).save(str(ENGLISH))
        for path in catalogs():
            polib.pofile(str(path)).save_as_mofile(str(path.with_suffix(".mo")))
        english = polib.pofile(str(ENGLISH))
        missing = [entry for entry in english if not entry.translated()]
        self.stdout.write(f"{len(english)} texts, {len(missing)} without English")
        for entry in missing:
            self.stdout.write(f"  {entry.msgid}")

    def _check(self) -> None:
        found = [f"{path.relative_to(ROOT)}: {fault}" for path in catalogs() for fault in faults(path)]
        source = extract(ROOT)
        if source is None:
            self.stdout.write(
                "*** xgettext is missing (GNU gettext): THE SOURCE WAS NOT READ, only .po and .mo were compared. ***"
            )
        else:
            found += drift(polib.pofile(str(ENGLISH)), source)
        if found:
            raise CommandError(
                "\n".join([*found, "`manage.py translations` extracts and compiles; then write the English"])
            )


def catalogs() -> list[Path]:
    """Every .po file of the project."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/*.po"))


def extract(root: Path) -> polib.POFile | None:
    """Every text that the source marks for translation; None where there is no xgettext.

    Templates are turned into what xgettext reads in a folder of its own, so that nothing appears beside the source.
    """
    if shutil.which("xgettext") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        readable = Path(folder)
        names = []
        for path in _texts(root):
            text = path.read_text(encoding="utf-8")
            name = path.relative_to(root)
            copy = readable / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text if path.suffix == ".py" else templatize(text, origin=str(name)), encoding="utf-8")
            names.append(str(name))
        done = subprocess.run(
            [
                "xgettext", "--language=Python", "--from-code=UTF-8", "--no-location", "--no-wrap", "--output=-",
                *(f"--keyword={keyword}" for keyword in KEYWORDS), "--files-from=-",
            ],
            cwd=readable, input="\n".join(names), capture_output=True, text=True, check=False,
        )  # fmt: skip
    if done.returncode != 0:
        raise CommandError(f"xgettext: {done.stderr.strip()}")
    return polib.pofile(done.stdout.replace("charset=CHARSET", "charset=UTF-8"))


def merge(known: polib.POFile, source: polib.POFile) -> polib.POFile:
    """The texts of `source` in its order with the translations of `known`; nothing is guessed.

    A text without Chinese is English already, and says in English what it says.
    """
    merged = polib.POFile(wrapwidth=0)
    merged.header, merged.metadata = known.header, known.metadata
    translated = {_key(entry): entry for entry in known if not entry.fuzzy}
    for entry in source:
        if old := translated.get(_key(entry)):
            entry.msgstr, entry.msgstr_plural = old.msgstr, old.msgstr_plural
        elif not HAN.search(entry.msgid):
            entry.msgstr = "" if entry.msgid_plural else entry.msgid
            entry.msgstr_plural = {0: entry.msgid, 1: entry.msgid_plural} if entry.msgid_plural else {}
        merged.append(entry)
    return merged


def drift(known: polib.POFile, source: polib.POFile) -> list[str]:
    """Where the catalog and the source differ."""
    ours, theirs = {_key(entry) for entry in known if not entry.obsolete}, {_key(entry) for entry in source}
    return [f"not in locale/en: {text}" for _, text, _ in sorted(theirs - ours)] + [
        f"no longer in the source: {text}" for _, text, _ in sorted(ours - theirs)
    ]


def faults(path: Path) -> Iterator[str]:
    """What is wrong with one .po file and the .mo file compiled from it, without a look at the source."""
    catalog = polib.pofile(str(path))
    for entry in catalog:
        if entry.fuzzy:
            yield f"a guess (fuzzy): {entry.msgid}"
        elif not entry.translated():
            yield f"not translated: {entry.msgid}"
        elif changed := _changed_placeholders(entry):
            yield f"{changed} differ: {entry.msgid}"
    compiled = path.with_suffix(".mo")
    if not compiled.is_file() or _said(polib.mofile(str(compiled))) != _said(catalog):
        yield f"{compiled.name} was not compiled from it"


def _changed_placeholders(entry: polib.POEntry) -> str:
    """The placeholders that only one of text and translation has; of a plural, in any of its forms."""
    asked = set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid))
    given = [set(PLACEHOLDER.findall(text)) for text in (entry.msgstr_plural.values() or [entry.msgstr])]
    return ", ".join(sorted(set().union(*(asked ^ each for each in given))))


def _said(catalog: polib.POFile | polib.MOFile) -> dict[tuple[str, str, str], tuple[str, dict[int, str]]]:
    """What a catalog says, whichever program compiled it: msgfmt and polib order their bytes differently."""
    return {_key(entry): (entry.msgstr, entry.msgstr_plural) for entry in catalog.translated_entries()}


def _key(entry: polib.POEntry | polib.MOEntry) -> tuple[str, str, str]:
    """What makes an entry the same one."""
    return entry.msgctxt or "", entry.msgid, entry.msgid_plural


def _texts(root: Path) -> Iterator[Path]:
    """Python files and templates, in an order that does not change."""
    for top in sorted(root.iterdir()):
        if top.name.startswith(".") or top.name in SILENT or not top.is_dir():
            continue
        for path in sorted(top.rglob("*")):
            if path.suffix in {".py", ".html"} or (path.suffix == ".txt" and "templates" in path.parts):
                yield path
