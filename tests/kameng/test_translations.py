import re
import shutil
from pathlib import Path

import polib
import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from kameng.embedded.paths import ROOT
from kameng.management.commands import translations
from kameng.management.commands.translations import ENGLISH, catalogs, drift, extract, faults, merge

CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
#: The one English text that shows Chinese: it asks for names as buyers say them.
EXAMPLE = "What buyers call it, separated by commas, e.g. 农药, wzry. Pinyin is added automatically"

needs_xgettext = pytest.mark.skipif(shutil.which("xgettext") is None, reason="GNU GETTEXT IS NOT INSTALLED")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project: one module, one template, an English catalog with the module's text."""
    (tmp_path / "shop" / "templates").mkdir(parents=True)
    (tmp_path / "shop" / "words.py").write_text('_("还有 %(count)s 分钟")\n', encoding="utf-8")
    (tmp_path / "shop" / "templates" / "page.html").write_text("<p>{% translate '首页' %}</p>\n", encoding="utf-8")
    english = tmp_path / "locale" / "en" / "LC_MESSAGES" / "django.po"
    english.parent.mkdir(parents=True)
    catalog = polib.POFile()
    catalog.metadata = {"Content-Type": "text/plain; charset=UTF-8", "Language": "en"}
    catalog.append(polib.POEntry(msgid="还有 %(count)s 分钟", msgstr="%(count)s min left"))
    catalog.save(str(english))
    catalog.save_as_mofile(str(english.with_suffix(".mo")))
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    monkeypatch.setattr(translations, "LOCALE", tmp_path / "locale")
    monkeypatch.setattr(translations, "ENGLISH", english)
    return english


@pytest.mark.parametrize("path", catalogs(), ids=lambda path: path.parent.parent.name)
def test_every_text_is_translated_with_its_placeholders_and_compiled(path):
    assert list(faults(path)) == []


@needs_xgettext
def test_the_english_catalog_has_exactly_the_texts_of_the_source():
    source = extract(ROOT)
    assert source is not None
    assert len(source) > 800
    assert drift(polib.pofile(str(ENGLISH)), source) == []


def test_english_is_written_without_chinese():
    said = {text for entry in polib.pofile(str(ENGLISH)) for text in [entry.msgstr, *entry.msgstr_plural.values()]}
    assert {text for text in said if CHINESE.search(text)} == {EXAMPLE}


def test_one_and_many_are_said_differently():
    plurals = [entry for entry in polib.pofile(str(ENGLISH)) if entry.msgid_plural]
    assert plurals
    for entry in plurals:
        assert set(entry.msgstr_plural) == {0, 1}
    with translation.override("en"):
        found = [translation.ngettext("找到 %(total)s 个商品", "找到 %(total)s 个商品", n) for n in (0, 1, 2)]
    assert found == ["%(total)s products found", "%(total)s product found", "%(total)s products found"]


@needs_xgettext
def test_a_text_of_a_template_that_nobody_translated_is_named(checkout):
    with pytest.raises(CommandError, match="not in locale/en: 首页") as refused:
        call_command("translations", "--check")
    assert "分钟" not in str(refused.value)


@needs_xgettext
def test_extraction_keeps_what_is_translated_and_guesses_nothing(checkout, capsys):
    call_command("translations")
    assert capsys.readouterr().out == "2 texts, 1 without English\n  首页\n"
    assert {entry.msgid: entry.msgstr for entry in polib.pofile(str(checkout))} == {
        "还有 %(count)s 分钟": "%(count)s min left",
        "首页": "",
    }
    assert [path.name for path in checkout.parents[3].rglob("*.html*")] == ["page.html"]


@needs_xgettext
def test_a_translated_project_passes_and_a_removed_text_does_not(checkout, capsys):
    (checkout.parents[3] / "shop" / "templates" / "page.html").unlink()
    call_command("translations", "--check")
    assert capsys.readouterr().out == ""
    (checkout.parents[3] / "shop" / "words.py").write_text("", encoding="utf-8")
    with pytest.raises(CommandError, match="no longer in the source: 还有"):
        call_command("translations", "--check")


def test_without_xgettext_extraction_is_refused_and_the_check_says_what_it_did_not_read(checkout, monkeypatch, capsys):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    before = checkout.read_bytes()
    with pytest.raises(CommandError, match="apt-get install gettext"):
        call_command("translations")
    call_command("translations", "--check")
    assert "THE SOURCE WAS NOT READ" in capsys.readouterr().out
    assert checkout.read_bytes() == before


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (polib.POEntry(msgid="首页"), "not translated: 首页"),
        (polib.POEntry(msgid="首页", msgstr="Home", flags=["fuzzy"]), "a guess (fuzzy): 首页"),
        (polib.POEntry(msgid="付 %(total)s", msgstr="Pay %(totals)s"), "%(total)s, %(totals)s differ: 付 %(total)s"),
        (polib.POEntry(msgid="{n} 件", msgstr="items"), "{n} differ: {n} 件"),
        (polib.POEntry(msgid="<b>到账</b>", msgstr="<i>Delivered</i>"), "</b>, </i>, <b>, <i> differ: <b>到账</b>"),
        (
            polib.POEntry(msgid="%(n)s 件", msgid_plural="%(n)s 件", msgstr_plural={0: "an item", 1: "%(n)s items"}),
            "%(n)s differ: %(n)s 件",
        ),
        (
            polib.POEntry(msgid="%(n)s 件", msgid_plural="%(n)s 件", msgstr_plural={0: "%(n)s item", 1: ""}),
            "not translated: %(n)s 件",
        ),
    ],
)
def test_each_fault_is_found(tmp_path, entry, fault):
    catalog = polib.POFile()
    catalog.metadata = {"Content-Type": "text/plain; charset=UTF-8"}
    catalog.append(entry)
    catalog.save(str(tmp_path / "django.po"))
    catalog.save_as_mofile(str(tmp_path / "django.mo"))
    assert list(faults(tmp_path / "django.po")) == [fault]


def test_a_catalog_that_was_edited_and_not_compiled_is_found(checkout):
    assert list(faults(checkout)) == []
    catalog = polib.pofile(str(checkout))
    catalog[0].msgstr = "%(count)s minutes left"
    catalog.save()
    assert list(faults(checkout)) == ["django.mo was not compiled from it"]
    checkout.with_suffix(".mo").unlink()
    assert list(faults(checkout)) == ["django.mo was not compiled from it"]


def test_a_text_that_is_english_already_says_itself():
    source = polib.POFile()
    source.append(polib.POEntry(msgid="Alipay"))
    source.append(polib.POEntry(msgid="Add row", msgctxt="table"))
    known = polib.POFile()
    known.append(polib.POEntry(msgid="Add row", msgstr="Insert"))
    assert [entry.msgstr for entry in merge(known, source)] == ["Alipay", "Add row"]
