import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

KINDS = [('product', '平台商品'), ('listing', '分站商品'), ('shop', '店铺文字'), ('offer', '渠道报价')]


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Version',
            fields=[
                ('digest', models.CharField(max_length=64, primary_key=True, serialize=False, verbose_name='摘要')),
                ('texts', models.JSONField(verbose_name='文字')),
            ],
            options={
                'verbose_name': '被筛查的文字',
                'verbose_name_plural': '被筛查的文字',
            },
        ),
        migrations.CreateModel(
            name='Screening',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject_kind', models.CharField(choices=KINDS, max_length=10, verbose_name='对象类型')),
                ('schema_name', models.CharField(max_length=63, verbose_name='模式')),
                ('subject_id', models.PositiveBigIntegerField(verbose_name='编号')),
                ('digest', models.CharField(max_length=64, verbose_name='摘要')),
                ('rules_version', models.PositiveBigIntegerField(verbose_name='规则版本')),
                ('verdict', models.CharField(choices=[('clear', '通过'), ('flagged', '待审核'), ('blocked', '拦下')], max_length=8, verbose_name='结论')),
                ('findings', models.JSONField(default=list, verbose_name='命中')),
                ('at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='时间')),
            ],
            options={
                'verbose_name': '筛查记录',
                'verbose_name_plural': '筛查记录',
                'ordering': ['-pk'],
                'indexes': [models.Index(fields=['subject_kind', 'schema_name', 'subject_id', '-id'], name='screening_of_subject')],
            },
        ),
        migrations.CreateModel(
            name='Case',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('subject_kind', models.CharField(choices=KINDS, max_length=10, verbose_name='对象类型')),
                ('schema_name', models.CharField(max_length=63, verbose_name='模式')),
                ('subject_id', models.PositiveBigIntegerField(verbose_name='编号')),
                ('kind', models.CharField(choices=[('flagged', '筛查存疑'), ('rescreened', '规则变了'), ('resubmitted', '下架后修改'), ('taken_down', '直接下架'), ('restored', '恢复上架'), ('appealed', '申诉成立')], max_length=12, verbose_name='来由')),
                ('state', models.CharField(choices=[('open', '待处理'), ('approved', '通过'), ('sent_back', '退回修改'), ('taken_down', '已下架'), ('withdrawn', '已撤回')], default='open', max_length=10, verbose_name='状态')),
                ('title', models.CharField(max_length=160, verbose_name='名称')),
                ('digest', models.CharField(blank=True, max_length=64, verbose_name='摘要')),
                ('severity', models.CharField(choices=[('high', '高：拦下'), ('medium', '中：人工看'), ('low', '低：人工看，不急')], default='medium', max_length=6, verbose_name='严重程度')),
                ('opened_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='开始')),
                ('due_at', models.DateTimeField(verbose_name='期限')),
                ('decided_at', models.DateTimeField(blank=True, null=True, verbose_name='决定时间')),
                ('decided_by', models.CharField(blank=True, max_length=80, verbose_name='决定人')),
                ('reasons', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=40), blank=True, default=list, size=None, verbose_name='理由')),
                ('statement', models.TextField(blank=True, verbose_name='给店主的说明')),
                ('screening', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='cases', to='gate.screening', verbose_name='筛查记录')),
            ],
            options={
                'verbose_name': '审核案件',
                'verbose_name_plural': '审核案件',
                'ordering': ['due_at', 'pk'],
                'indexes': [models.Index(condition=models.Q(('state', 'open')), fields=['due_at', 'id'], name='case_queue'), models.Index(fields=['subject_kind', 'schema_name', 'subject_id', '-id'], name='case_of_subject')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state', 'open')), fields=('subject_kind', 'schema_name', 'subject_id'), name='case_one_open_per_subject'), models.CheckConstraint(condition=models.Q(models.Q(('decided_at__isnull', True), ('state', 'open')), models.Q(models.Q(('state', 'open'), _negated=True), ('decided_at__isnull', False)), _connector='OR'), name='case_decided_has_a_time')],
            },
        ),
    ]
