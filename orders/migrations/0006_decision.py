import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0005_held_at_once'),
    ]

    operations = [
        migrations.CreateModel(
            name='Decision',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('by_hand', '记为已人工退款'), ('give_up', '放弃并退款')], max_length=10, verbose_name='事项')),
                ('subject', models.BigIntegerField()),
                ('label', models.CharField(max_length=80, verbose_name='对象')),
                ('amount', models.DecimalField(decimal_places=2, max_digits=12, verbose_name='金额')),
                ('reference', models.CharField(blank=True, max_length=64, verbose_name='凭证单号')),
                ('note', models.CharField(max_length=150, verbose_name='依据')),
                ('status', models.CharField(choices=[('waiting', '等复核'), ('done', '已执行'), ('rejected', '未批准'), ('moot', '已有结果，不用了')], default='waiting', max_length=10, verbose_name='状态')),
                ('needs_two', models.BooleanField(default=False, verbose_name='要两人批准')),
                ('actor', models.CharField(max_length=80, verbose_name='发起')),
                ('created_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='发起时间')),
                ('decided_by', models.CharField(blank=True, max_length=80, verbose_name='谁复核')),
                ('decided_at', models.DateTimeField(blank=True, null=True, verbose_name='复核时间')),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, db_index=False, related_name='decisions', to='orders.order', verbose_name='订单')),
            ],
            options={
                'verbose_name': '人工决定',
                'verbose_name_plural': '人工决定',
                'ordering': ['pk'],
                'default_permissions': (),
                'constraints': [
                    models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='decision_amount_positive'),
                    models.UniqueConstraint(condition=models.Q(('status', 'waiting')), fields=('kind', 'subject'), name='decision_waits_once'),
                    models.CheckConstraint(condition=models.Q(('needs_two', False), models.Q(('status', 'done'), _negated=True), models.Q(models.Q(('decided_by', ''), _negated=True), models.Q(('decided_by', models.F('actor')), _negated=True)), _connector='OR'), name='decision_agreed_by_another'),
                ],
            },
        ),
    ]
