from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('resellers', '0005_collects_alone'),
    ]

    operations = [
        migrations.AddField(
            model_name='reseller',
            name='deposit_daily',
            field=models.DecimalField(db_default=0, decimal_places=2, default=0, editable=False, max_digits=12, verbose_name='每天冻结的保证金'),
        ),
    ]
