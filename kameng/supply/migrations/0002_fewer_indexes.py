import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('clients', '0001_initial'),
        ('supply', '0001_initial'),
    ]

    # locks: a table is held for the moment in which an index of it is forgotten
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='clientcallback',
                    name='client_order',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='callbacks', to='supply.clientorder', verbose_name='下游订单'),
                ),
                migrations.AlterField(
                    model_name='clientorder',
                    name='client',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='clients.client', verbose_name='下游客户'),
                ),
            ],
            database_operations=[migrations.RunSQL(
                "DROP INDEX IF EXISTS supply_clientcallback_client_order_id_bef28d5a, supply_clientorder_client_id_80124e6e", migrations.RunSQL.noop,
            )],
        ),
    ]
