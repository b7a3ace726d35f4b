import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0008_category_price_cap'),
        ('listings', '0005_product_names'),
    ]

    # locks: a table is held for the moment in which an index of it is forgotten
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='pricerule',
                    name='category',
                    field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalog.category', verbose_name='类目'),
                ),
                migrations.AlterField(
                    model_name='pricerule',
                    name='product',
                    field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalog.product', verbose_name='商品'),
                ),
                migrations.AlterField(
                    model_name='pricerule',
                    name='variant',
                    field=models.ForeignKey(blank=True, db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='catalog.variant', verbose_name='面额'),
                ),
            ],
            database_operations=[migrations.RunSQL(
                "DROP INDEX IF EXISTS listings_pricerule_category_id_07e4d67e, listings_pricerule_product_id_c54b7156, listings_pricerule_variant_id_74584bc3", migrations.RunSQL.noop,
            )],
        ),
    ]
