from django.db import migrations

#: Until now products of this kind had a notice for minors wherever they stood; now their category says so.
_GAMES = """
UPDATE catalog_category SET limits_minors = TRUE
 WHERE EXISTS (SELECT FROM catalog_product AS product
                WHERE product.category_id = catalog_category.id AND product.kind = 'topup');
UPDATE catalog_revision SET number = number + 1;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('catalog', '0005_category_limits_minors'),
    ]

    operations = [
        migrations.RunSQL(_GAMES, migrations.RunSQL.noop),
    ]
