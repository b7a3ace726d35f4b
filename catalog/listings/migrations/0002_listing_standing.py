from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('listings', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='listing',
            name='standing',
            field=models.CharField(choices=[('clear', '正常'), ('flagged', '待审核'), ('blocked', '不合规'), ('taken_down', '已下架')], db_default='clear', default='clear', editable=False, max_length=10, verbose_name='合规状态'),
        ),
    ]
