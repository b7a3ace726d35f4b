from django.db import migrations, models

STANDINGS = [('clear', '正常'), ('flagged', '待审核'), ('blocked', '不合规'), ('taken_down', '已下架')]


class Migration(migrations.Migration):
    # What is on sale stays on sale until `rescreen` looks at it; what is written past the services from here on is not.

    dependencies = [
        ('catalog', '0003_supply_price_rises'),
    ]

    operations = [
        migrations.AddField(
            model_name='product',
            name='standing',
            field=models.CharField(choices=STANDINGS, default='clear', editable=False, max_length=10, verbose_name='合规状态'),
        ),
        migrations.AlterField(
            model_name='product',
            name='standing',
            field=models.CharField(choices=STANDINGS, db_default='flagged', default='flagged', editable=False, max_length=10, verbose_name='合规状态'),
        ),
    ]
