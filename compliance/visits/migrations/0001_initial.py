import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('resellers', '0008_look_and_pictures'),
    ]

    operations = [
        migrations.CreateModel(
            name='Visit',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('by', models.CharField(max_length=80, verbose_name='谁')),
                ('reason', models.CharField(max_length=200, verbose_name='原因')),
                ('helps', models.BooleanField(default=False, verbose_name='协助')),
                ('asked_at', models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), verbose_name='申请时间')),
                ('entered_at', models.DateTimeField(null=True, verbose_name='进入时间')),
                ('until', models.DateTimeField(null=True, verbose_name='最晚到')),
                ('ended_at', models.DateTimeField(null=True, verbose_name='结束时间')),
                ('shop', models.ForeignKey(on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='resellers.reseller', verbose_name='店铺')),
            ],
            options={
                'verbose_name': '进店',
                'verbose_name_plural': '进店',
                'ordering': ['-pk'],
                'default_permissions': (),
                'indexes': [models.Index(fields=['shop', '-id'], name='visit_of_shop')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('entered_at__isnull', True), ('until__isnull', True)), models.Q(('entered_at__isnull', False), ('until__isnull', False)), _connector='OR'), name='visit_ends_where_it_began'), models.CheckConstraint(condition=models.Q(models.Q(('by', ''), _negated=True), models.Q(('reason', ''), _negated=True)), name='visit_of_somebody_for_something')],
            },
        ),
    ]
