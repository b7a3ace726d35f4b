"""The rules of the audit trail, where no program can pass them by."""

from pathlib import Path

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("trail", "0001_initial")]

    operations = [
        migrations.RunSQL(Path(__file__).with_suffix(".sql").read_text(), Path(__file__).with_suffix(".undo.sql").read_text()),
    ]
