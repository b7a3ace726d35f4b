from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('plans', '0002_one_level_of_commission'),
    ]

    operations = [
        migrations.AddField(
            model_name='subscription',
            name='taken_back_at',
            field=models.DateTimeField(null=True, verbose_name='收回时间'),
        ),
        migrations.AddField(
            model_name='tenure',
            name='told_days',
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.AlterField(
            model_name='application',
            name='refusal',
            field=models.CharField(blank=True, choices=[('taken', '这个地址在你付款之前已经由别人开了店'), ('name', '这个店名没有通过审核'), ('gone', '这家店已经关闭'), ('changed', '这家店在你付款之前换了套餐，请按新套餐续费'), ('wrong', '付款和申请对不上')], max_length=10, verbose_name='原因'),
        ),
    ]
