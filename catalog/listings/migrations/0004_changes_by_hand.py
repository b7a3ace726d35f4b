from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('listings', '0003_placements_and_repricing'),
    ]

    operations = [
        migrations.AlterField(
            model_name='repricing',
            name='mode',
            field=models.CharField(choices=[('percent', '加百分比'), ('fixed', '加固定金额'), ('price', '一口价'), ('inherit', '恢复继承'), ('by_hand', '手动修改')], max_length=10, verbose_name='方式'),
        ),
    ]
