DROP FUNCTION public.ledger_post;
DROP TRIGGER ledger_entry_belongs ON public.ledger_entry;
DROP TRIGGER ledger_journal_sums_to_zero ON public.ledger_journal;
DROP TRIGGER ledger_entry_stays ON public.ledger_entry;
DROP TRIGGER ledger_journal_stays ON public.ledger_journal;
DROP TRIGGER ledger_account_stays ON public.ledger_account;
DROP FUNCTION public.ledger_check_entries;
DROP FUNCTION public.ledger_check_journal;
DROP FUNCTION public.ledger_refuse_change;
