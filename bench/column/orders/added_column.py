"""A column that old code knows nothing of, and need not."""

from pathlib import Path

from django.db import migrations, models

from orders import migrations as known

LATEST = max(path.stem for path in Path(known.__path__[0]).glob("0*.py"))


class Migration(migrations.Migration):
    """Nullable, so that no row is written."""

    dependencies = [("orders", LATEST)]
    operations = [migrations.AddField("order", "bench_note", models.CharField(max_length=20, null=True))]
