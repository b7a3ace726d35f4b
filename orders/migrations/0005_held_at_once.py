from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('orders', '0004_event_when'),
    ]

    operations = [
        migrations.AddField(
            model_name='order',
            name='held_at_once',
            field=models.BooleanField(db_default=False, default=False, verbose_name='下单即冻结'),
        ),
    ]
