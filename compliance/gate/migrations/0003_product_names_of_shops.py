from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('gate', '0002_refusals_and_amends'),
    ]

    operations = [
        migrations.AlterField(
            model_name='case',
            name='subject_kind',
            field=models.CharField(choices=[('product', '平台商品'), ('listing', '分站商品'), ('placement', '分站商品名'), ('shop', '店铺文字'), ('offer', '渠道报价'), ('category', '类目名称')], max_length=10, verbose_name='对象类型'),
        ),
        migrations.AlterField(
            model_name='screening',
            name='subject_kind',
            field=models.CharField(choices=[('product', '平台商品'), ('listing', '分站商品'), ('placement', '分站商品名'), ('shop', '店铺文字'), ('offer', '渠道报价'), ('category', '类目名称')], max_length=10, verbose_name='对象类型'),
        ),
    ]
