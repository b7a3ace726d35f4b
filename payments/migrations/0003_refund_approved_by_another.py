from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0002_line_short'),
        ('payments', '0002_fees'),
    ]

    operations = [
        migrations.AddField(
            model_name='refund',
            name='note',
            field=models.CharField(blank=True, db_default='', default='', max_length=200, verbose_name='依据'),
        ),
        migrations.AddField(
            model_name='refund',
            name='needs_two',
            field=models.BooleanField(db_default=False, default=False, verbose_name='要两人批准'),
        ),
        migrations.AddField(
            model_name='refund',
            name='decided_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=80, verbose_name='谁复核'),
        ),
        migrations.AddField(
            model_name='refund',
            name='decided_at',
            field=models.DateTimeField(blank=True, null=True, verbose_name='复核时间'),
        ),
        migrations.AddField(
            model_name='refund',
            name='rejection',
            field=models.CharField(blank=True, db_default='', default='', max_length=200, verbose_name='不批准的原因'),
        ),
        migrations.AlterField(
            model_name='refund',
            name='status',
            field=models.CharField(choices=[('waiting', '等复核'), ('rejected', '未批准'), ('created', '待提交'), ('pending', '退款中'), ('succeeded', '已退款'), ('failed', '需要人工处理')], default='created', max_length=16, verbose_name='状态'),
        ),
        migrations.AddConstraint(
            model_name='refund',
            constraint=models.CheckConstraint(condition=models.Q(('needs_two', False), ('status__in', ['waiting', 'rejected']), models.Q(models.Q(('decided_by', ''), _negated=True), models.Q(('decided_by', models.F('actor')), _negated=True)), _connector='OR'), name='refund_approved_by_another'),
        ),
    ]
