-- The chain begins before its first entry.
INSERT INTO public.trail_head (id, sequence, hash) VALUES (1, 0, repeat('0', 64));

-- Entries are added and never changed, whoever asks for it; the head stays.
CREATE FUNCTION public.trail_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is only ever added to: % on % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', HINT = 'append an entry that says what is right';
END $$;

CREATE TRIGGER trail_entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON public.trail_auditentry
    FOR EACH STATEMENT EXECUTE FUNCTION public.trail_refuse_change();
CREATE TRIGGER trail_head_stays BEFORE DELETE OR TRUNCATE ON public.trail_head
    FOR EACH STATEMENT EXECUTE FUNCTION public.trail_refuse_change();

-- An entry follows the last one. Whoever adds one holds the head until the end of the transaction: there are no forks.
CREATE FUNCTION public.trail_check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    head public.trail_head;
BEGIN
    SELECT * INTO STRICT head FROM public.trail_head FOR UPDATE;
    IF NEW.sequence <> head.sequence + 1 OR NEW.previous <> head.hash THEN
        RAISE EXCEPTION 'entry % does not follow entry %', NEW.sequence, head.sequence USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER trail_entry_follows BEFORE INSERT ON public.trail_auditentry
    FOR EACH ROW EXECUTE FUNCTION public.trail_check_entry();

CREATE FUNCTION public.trail_move_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.trail_head SET sequence = NEW.sequence, hash = NEW.hash;
    RETURN NULL;
END $$;

CREATE TRIGGER trail_entry_moves_head AFTER INSERT ON public.trail_auditentry
    FOR EACH ROW EXECUTE FUNCTION public.trail_move_head();

-- The head moves on to the next entry, and nowhere else.
CREATE FUNCTION public.trail_check_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id <> OLD.id OR NEW.sequence <> OLD.sequence + 1 OR NOT EXISTS (
        SELECT FROM public.trail_auditentry AS entry
         WHERE entry.sequence = NEW.sequence AND entry.previous = OLD.hash AND entry.hash = NEW.hash
    ) THEN
        RAISE EXCEPTION 'the head of the audit trail only moves on to the next entry' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER trail_head_moves_on BEFORE UPDATE ON public.trail_head
    FOR EACH ROW EXECUTE FUNCTION public.trail_check_head();
