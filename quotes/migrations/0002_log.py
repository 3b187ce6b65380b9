"""The tick log and the raises of the watermark: partitioned by UTC day, append-only."""

from django.db import migrations

FORWARD = """
CREATE TABLE quotes_tick (
    symbol_id integer NOT NULL,
    seq bigint NOT NULL CHECK (seq > 0),
    at_ms bigint NOT NULL,
    received_at_ms bigint NOT NULL,
    bid numeric CHECK (bid > 0),
    ask numeric CHECK (ask > 0),
    price bigint NOT NULL CHECK (price > 0),
    revision integer NOT NULL,
    CHECK ((bid IS NULL) = (ask IS NULL))
) PARTITION BY RANGE (at_ms);
CREATE UNIQUE INDEX quotes_tick_seq ON quotes_tick (symbol_id, seq, at_ms);
CREATE INDEX quotes_tick_newest ON quotes_tick (symbol_id, at_ms DESC, seq DESC) INCLUDE (price, revision);

CREATE TABLE quotes_watermark_raise (
    symbol_id integer NOT NULL,
    watermark_ms bigint NOT NULL,
    cause smallint NOT NULL CHECK (cause IN (1, 2, 3)),
    seq bigint NOT NULL,
    raised_at_ms bigint NOT NULL
) PARTITION BY RANGE (raised_at_ms);
CREATE INDEX quotes_watermark_raise_reached ON quotes_watermark_raise (symbol_id, watermark_ms);

CREATE FUNCTION quotes_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER quotes_tick_append_only BEFORE UPDATE OR DELETE ON quotes_tick
    FOR EACH ROW EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_watermark_raise_append_only BEFORE UPDATE OR DELETE ON quotes_watermark_raise
    FOR EACH ROW EXECUTE FUNCTION quotes_append_only();

-- The watermark and the sequence of a symbol never fall.
CREATE FUNCTION quotes_head_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.watermark_ms < OLD.watermark_ms OR NEW.seq < OLD.seq OR NEW.tick_at_ms < OLD.tick_at_ms THEN
        RAISE EXCEPTION 'the log of symbol % moves forward only', OLD.symbol_id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER quotes_head_forward BEFORE UPDATE ON quotes_symbol_head
    FOR EACH ROW EXECUTE FUNCTION quotes_head_forward();
ALTER TABLE quotes_symbol_head SET (fillfactor = 30);
ALTER TABLE quotes_candle SET (fillfactor = 80);

-- Runs with the rights of the tables' owner, so that the application's role can prepare the days ahead.
CREATE FUNCTION quotes_partition_ensure(day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    from_ms bigint := extract(epoch FROM day::timestamp AT TIME ZONE 'UTC')::bigint * 1000;
    to_ms bigint := from_ms + 86400000;
    suffix text := to_char(day, 'YYYYMMDD');
    parent text;
BEGIN
    IF to_regclass('quotes_tick_' || suffix) IS NOT NULL
       AND to_regclass('quotes_watermark_raise_' || suffix) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('quotes_partition_ensure'));
    -- Attaching needs a weaker lock on the parent than creating a partition does: readers and writers go on.
    FOREACH parent IN ARRAY ARRAY['quotes_tick', 'quotes_watermark_raise'] LOOP
        IF to_regclass(parent || '_' || suffix) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)',
                           parent || '_' || suffix, parent);
            EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                           parent, parent || '_' || suffix, from_ms, to_ms);
        END IF;
    END LOOP;
END $$;
SELECT quotes_partition_ensure((now() AT TIME ZONE 'UTC')::date + ahead) FROM generate_series(-1, 3) AS ahead;

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON quotes_tick, quotes_watermark_raise FROM fairstrike;
    END IF;
END $$;
"""
BACKWARD = """
DROP FUNCTION quotes_partition_ensure(date);
DROP TRIGGER quotes_head_forward ON quotes_symbol_head;
DROP FUNCTION quotes_head_forward();
DROP TABLE quotes_watermark_raise;
DROP TABLE quotes_tick;
DROP FUNCTION quotes_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("quotes", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
