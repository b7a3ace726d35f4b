import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0005_counts_from'),
        ('payments', '0006_unique_without_pattern'),
    ]

    # locks: a table is held for the moment in which an index of it is forgotten
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='payment',
                    name='account',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='merchants.gatewayaccount', verbose_name='收款账户'),
                ),
                migrations.AlterField(
                    model_name='refund',
                    name='payment',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='refunds', to='payments.payment', verbose_name='收款'),
                ),
            ],
            database_operations=[migrations.RunSQL(
                "DROP INDEX IF EXISTS payments_payment_account_id_af225a32, payments_refund_payment_id_a70693f7, payments_payment_number_cb3ce506_like", migrations.RunSQL.noop,
            )],
        ),
    ]
