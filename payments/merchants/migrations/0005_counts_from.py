from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0004_deposits'),
    ]

    operations = [
        migrations.AddField(
            model_name='gatewayaccount',
            name='counts_from',
            field=models.DateTimeField(blank=True, editable=False, null=True, verbose_name='开始收款'),
        ),
    ]
