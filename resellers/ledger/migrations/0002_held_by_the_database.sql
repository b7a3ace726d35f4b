-- Rows are added and never changed, whoever asks for it.
CREATE FUNCTION public.ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is only ever added to: % on % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'post a journal that reverses the other';
END $$;

CREATE TRIGGER ledger_account_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON public.ledger_account
    FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_change();
CREATE TRIGGER ledger_journal_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON public.ledger_journal
    FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_change();
CREATE TRIGGER ledger_entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON public.ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_refuse_change();

-- At the end of the transaction a journal has all its entries, and they sum to zero.
CREATE FUNCTION public.ledger_check_journal() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found_size bigint;
    found_sum numeric;
BEGIN
    SELECT count(*), coalesce(sum(amount), 0) INTO found_size, found_sum
      FROM public.ledger_entry WHERE journal_id = NEW.id;
    IF found_size <> NEW.size OR found_sum <> 0 THEN
        RAISE EXCEPTION 'journal % has % of % entries, and they sum to %', NEW.key, found_size, NEW.size, found_sum
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER ledger_journal_sums_to_zero AFTER INSERT ON public.ledger_journal
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.ledger_check_journal();

-- No entry is added to a journal that is whole already. Looked at as the entries come, for the journal itself is only
-- looked at in the transaction that it was written in.
CREATE FUNCTION public.ledger_check_entries() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    broken text;
BEGIN
    SELECT journal.key INTO broken
      FROM (SELECT DISTINCT journal_id FROM added) AS touched
      LEFT JOIN public.ledger_journal AS journal ON journal.id = touched.journal_id
     WHERE (SELECT count(*) FROM public.ledger_entry WHERE journal_id = touched.journal_id) > journal.size
     LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'journal % is whole already', broken USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER ledger_entry_belongs AFTER INSERT ON public.ledger_entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION public.ledger_check_entries();

-- Write a journal with its entries; accounts are opened as they are needed. Its id, or null where the same was written
-- before. Fails where something else was written under this key.
CREATE FUNCTION public.ledger_post(
    the_key text, the_kind text, the_shop bigint, the_order text, names text[], owners bigint[], amounts numeric[]
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    new_id bigint;
BEGIN
    INSERT INTO public.ledger_journal (key, kind, shop_id, order_number, size)
    VALUES (the_key, the_kind, the_shop, the_order, cardinality(amounts))
        ON CONFLICT (key) DO NOTHING RETURNING id INTO new_id;
    IF new_id IS NULL THEN
        PERFORM FROM (
            SELECT account.name::text, account.owner, entry.amount
              FROM public.ledger_journal AS journal
              JOIN public.ledger_entry AS entry ON entry.journal_id = journal.id
              JOIN public.ledger_account AS account ON account.id = entry.account_id
             WHERE journal.key = the_key
            EXCEPT ALL SELECT * FROM unnest(names, owners, amounts)) AS different;
        IF FOUND OR (SELECT size FROM public.ledger_journal WHERE key = the_key) <> cardinality(amounts) THEN
            RAISE EXCEPTION 'journal % was written with other entries', the_key USING ERRCODE = 'unique_violation';
        END IF;
        RETURN NULL;
    END IF;
    IF (SELECT count(*) FROM unnest(names, owners) AS wanted (name, owner)
          JOIN public.ledger_account AS account ON account.name = wanted.name AND account.owner = wanted.owner)
       < cardinality(amounts) THEN
        INSERT INTO public.ledger_account (name, owner)
        SELECT DISTINCT wanted.name, wanted.owner FROM unnest(names, owners) AS wanted (name, owner)
         ORDER BY 1, 2 ON CONFLICT (name, owner) DO NOTHING;
    END IF;
    INSERT INTO public.ledger_entry (journal_id, account_id, amount)
    SELECT new_id, account.id, wanted.amount
      FROM unnest(names, owners, amounts) AS wanted (name, owner, amount)
      JOIN public.ledger_account AS account ON account.name = wanted.name AND account.owner = wanted.owner;
    RETURN new_id;
END $$;
