from django.db import migrations

#: Whoever invites stands at level 0: the pair (shop, level) is a key, and (inviter, 0) has to be one of its rows. A shop
#: that was invited stands at 1, so no row can name it as the inviter; and none that invites can become invited.
_KEYS = """
ALTER TABLE plans_affiliate ADD CONSTRAINT affiliate_stands_at_a_level UNIQUE (shop_id, level);
ALTER TABLE plans_affiliate ADD CONSTRAINT affiliate_invited_by_one_who_invites
    FOREIGN KEY (inviter_id, inviter_level) REFERENCES plans_affiliate (shop_id, level);
"""
_WITHOUT = """
ALTER TABLE plans_affiliate DROP CONSTRAINT affiliate_invited_by_one_who_invites;
ALTER TABLE plans_affiliate DROP CONSTRAINT affiliate_stands_at_a_level;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('plans', '0001_initial'),
    ]

    operations = [
        migrations.RunSQL(_KEYS, _WITHOUT),
    ]
