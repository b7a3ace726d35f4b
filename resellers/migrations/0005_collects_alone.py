from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('resellers', '0004_deposits'),
    ]

    operations = [
        migrations.AddField(
            model_name='reseller',
            name='collects_alone',
            field=models.BooleanField(db_default=False, default=False, editable=False, verbose_name='只有店主自己收款'),
        ),
    ]
