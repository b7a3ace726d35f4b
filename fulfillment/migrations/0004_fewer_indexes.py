import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('fulfillment', '0003_by_owner'),
        ('suppliers', '0004_names_of_offers'),
    ]

    # locks: a table is held for the moment in which an index of it is forgotten
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='delivery',
                    name='fulfillment',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='fulfillment.fulfillment', verbose_name='履约'),
                ),
                migrations.AlterField(
                    model_name='delivery',
                    name='stock_code',
                    field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='suppliers.stockcode', verbose_name='卡密'),
                ),
                migrations.AlterField(
                    model_name='delivery',
                    name='supplier_order',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='deliveries', to='fulfillment.supplierorder', verbose_name='采购单'),
                ),
                migrations.AlterField(
                    model_name='supplierorder',
                    name='fulfillment',
                    field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='supplier_orders', to='fulfillment.fulfillment', verbose_name='履约'),
                ),
                migrations.AlterField(
                    model_name='supplierorder',
                    name='offer',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='suppliers.supplieroffer', verbose_name='渠道报价'),
                ),
                migrations.AlterField(
                    model_name='supplierorder',
                    name='supplier',
                    field=models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='suppliers.supplier', verbose_name='供应商'),
                ),
            ],
            database_operations=[migrations.RunSQL(
                "DROP INDEX IF EXISTS fulfillment_delivery_fulfillment_id_9451c791, fulfillment_delivery_stock_code_id_eb588450, fulfillment_delivery_supplier_order_id_bb87f5be, fulfillment_supplierorder_fulfillment_id_82d45c91, fulfillment_supplierorder_offer_id_b0ea24f9, fulfillment_supplierorder_supplier_id_cd394cc9, fulfillment_supplierorder_reference_c331cd96_like", migrations.RunSQL.noop,
            )],
        ),
    ]
