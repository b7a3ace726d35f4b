from django.db import migrations, models

#: Until now only the book knew which client's balance a payment was made from. Where there is no book, as when the
#: template of a shop is written, there are no payments.
_HOLDERS = """
DO $$ BEGIN
IF to_regclass('public.ledger_journal') IS NOT NULL THEN
    UPDATE payments_payment AS payment SET holder_id = account.owner
      FROM public.ledger_journal AS journal
      JOIN public.ledger_entry AS entry ON entry.journal_id = journal.id
      JOIN public.ledger_account AS account ON account.id = entry.account_id
     WHERE payment.gateway = 'prepaid' AND journal.key = 'client_paid:' || payment.number AND account.name = 'prepaid';
END IF;
END $$
"""


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0007_fewer_indexes'),
    ]

    # locks: rows of clients' payments only, which nobody changes any more
    operations = [
        migrations.AddField(
            model_name='payment',
            name='holder_id',
            field=models.BigIntegerField(editable=False, null=True),
        ),
        migrations.RunSQL(_HOLDERS, migrations.RunSQL.noop),
    ]
