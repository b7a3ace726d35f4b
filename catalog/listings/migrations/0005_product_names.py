from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('listings', '0004_changes_by_hand'),
    ]

    operations = [
        migrations.AddField(
            model_name='placement',
            name='name',
            field=models.CharField(blank=True, db_default='', default='', max_length=60, verbose_name='自定商品名'),
        ),
        migrations.AddField(
            model_name='placement',
            name='search_text',
            field=models.TextField(blank=True, db_default='', default='', editable=False),
        ),
        migrations.AddField(
            model_name='placement',
            name='standing',
            field=models.CharField(choices=[('clear', '正常'), ('flagged', '待审核'), ('blocked', '不合规'), ('taken_down', '已下架')], db_default='clear', default='clear', editable=False, max_length=10, verbose_name='合规状态'),
        ),
    ]
