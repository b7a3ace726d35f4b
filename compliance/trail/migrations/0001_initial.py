from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('sequence', models.BigIntegerField(primary_key=True, serialize=False, verbose_name='序号')),
                ('at', models.DateTimeField(verbose_name='时间')),
                ('actor', models.CharField(max_length=80, verbose_name='谁')),
                ('subject', models.CharField(max_length=120, verbose_name='对象')),
                ('action', models.CharField(max_length=40, verbose_name='动作')),
                ('data', models.JSONField(default=dict, verbose_name='内容')),
                ('previous', models.CharField(max_length=64, verbose_name='上一条的哈希')),
                ('hash', models.CharField(max_length=64, verbose_name='哈希')),
            ],
            options={
                'verbose_name': '审计记录',
                'verbose_name_plural': '审计记录',
                'ordering': ['sequence'],
                'indexes': [models.Index(fields=['subject', 'sequence'], name='trail_entry_of_subject')],
                'constraints': [models.CheckConstraint(condition=models.Q(('subject__regex', '^[a-z_]+:.+')), name='trail_entry_has_a_subject'), models.CheckConstraint(condition=models.Q(models.Q(('actor', ''), _negated=True), models.Q(('action', ''), _negated=True)), name='trail_entry_says_who_did_what')],
            },
        ),
        migrations.CreateModel(
            name='Head',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sequence', models.BigIntegerField()),
                ('hash', models.CharField(max_length=64)),
            ],
            options={
                'verbose_name': '审计链末端',
                'verbose_name_plural': '审计链末端',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='trail_head_is_one')],
            },
        ),
    ]
