import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0008_category_price_cap'),
        ('orders', '0011_contact_index'),
    ]

    # locks: a table is held for the moment in which an index of it is forgotten
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='orderevent',
                    name='line',
                    field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='orders.orderline'),
                ),
                migrations.AlterField(
                    model_name='orderline',
                    name='variant',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalog.variant', verbose_name='面额'),
                ),
            ],
            database_operations=[migrations.RunSQL(
                "DROP INDEX IF EXISTS orders_orderevent_line_id_bfabcb0a, orders_orderline_variant_id_0aa9a0d5, orders_order_number_abc9e0f2_like", migrations.RunSQL.noop,
            )],
        ),
    ]
