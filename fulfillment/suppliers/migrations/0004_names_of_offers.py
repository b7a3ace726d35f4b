from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('suppliers', '0003_offer_proposed_price'),
    ]

    operations = [
        migrations.AddField(
            model_name='supplieroffer',
            name='listed_name',
            field=models.CharField(blank=True, db_default='', editable=False, max_length=120, verbose_name='对方名称'),
        ),
        migrations.AddField(
            model_name='supplieroffer',
            name='standing',
            field=models.CharField(choices=[('clear', '正常'), ('flagged', '待审核'), ('blocked', '不合规'), ('taken_down', '已下架')], db_default='clear', default='clear', editable=False, max_length=10, verbose_name='合规状态'),
        ),
        migrations.AddField(
            model_name='pricechange',
            name='verdict',
            field=models.CharField(blank=True, default='', max_length=8, verbose_name='筛查结论'),
            preserve_default=False,
        ),
    ]
