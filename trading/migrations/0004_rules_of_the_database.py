"""What is frozen on an order now that it may wait for its entry; and the only way in which a day of ticks goes."""

from django.db import migrations

FORWARD = """
CREATE OR REPLACE FUNCTION trading_order_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'an order is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.state <> 'open' THEN
        RAISE EXCEPTION 'order % is settled', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    IF ROW(NEW.id, NEW.client_order_id, NEW.user_id, NEW.wallet_id, NEW.book, NEW.currency, NEW.source, NEW.token_id,
           NEW.asked, NEW.symbol_id, NEW.symbol, NEW.direction, NEW.stake, NEW.payout_percent, NEW.entry_rule,
           NEW.settlement_rule, NEW.max_tick_age_ms, NEW.revision, NEW.price_scale, NEW.custom, NEW.accepted_at_ms,
           NEW.expires_at_ms, NEW.session_closes_ms, NEW.expected_price, NEW.max_price_drift, NEW.entry_after_seq,
           NEW.entry_after_ms, NEW.entry_until_ms)
       IS DISTINCT FROM
       ROW(OLD.id, OLD.client_order_id, OLD.user_id, OLD.wallet_id, OLD.book, OLD.currency, OLD.source, OLD.token_id,
           OLD.asked, OLD.symbol_id, OLD.symbol, OLD.direction, OLD.stake, OLD.payout_percent, OLD.entry_rule,
           OLD.settlement_rule, OLD.max_tick_age_ms, OLD.revision, OLD.price_scale, OLD.custom, OLD.accepted_at_ms,
           OLD.expires_at_ms, OLD.session_closes_ms, OLD.expected_price, OLD.max_price_drift, OLD.entry_after_seq,
           OLD.entry_after_ms, OLD.entry_until_ms)
       OR (OLD.open_price IS NOT NULL
           AND ROW(NEW.open_seq, NEW.open_at_ms, NEW.open_price, NEW.entered_at_ms)
               IS DISTINCT FROM ROW(OLD.open_seq, OLD.open_at_ms, OLD.open_price, OLD.entered_at_ms)) THEN
        RAISE EXCEPTION 'the terms of order % are frozen', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

UPDATE trading_order_open AS opened SET stake = o.stake, up = o.direction = 'up', exposed = o.book = 'real'
FROM trading_order AS o WHERE o.id = opened.order_id;

-- Runs with the rights of the tables' owner. A day of ticks goes only when it is archived, older than a week, and no
-- open or disputed order can need it; the function decides that by itself, whoever calls it.
CREATE FUNCTION quotes_partition_drop(day date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    from_ms bigint := extract(epoch FROM day::timestamp AT TIME ZONE 'UTC')::bigint * 1000;
    to_ms bigint := from_ms + 86400000;
    margin_ms CONSTANT bigint := 86400000;
    archived record;
    parent text;
BEGIN
    SELECT * INTO archived FROM quotes_tick_archive AS archive WHERE archive.day = quotes_partition_drop.day FOR UPDATE;
    IF NOT FOUND OR archived.dropped_at_ms IS NOT NULL
       OR to_ms + 7 * margin_ms > extract(epoch FROM clock_timestamp()) * 1000 THEN
        RETURN false;
    END IF;
    IF EXISTS (SELECT FROM trading_order AS o JOIN trading_order_open AS opened ON opened.order_id = o.id
               WHERE o.accepted_at_ms < to_ms + margin_ms)
       OR EXISTS (SELECT FROM trading_order AS o JOIN trading_dispute AS dispute ON dispute.order_id = o.id
                  WHERE dispute.closed_at_ms IS NULL AND o.accepted_at_ms < to_ms + margin_ms
                    AND o.expires_at_ms > from_ms - margin_ms) THEN
        RETURN false;
    END IF;
    FOREACH parent IN ARRAY ARRAY['quotes_tick', 'quotes_watermark_raise'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I', parent || '_' || to_char(day, 'YYYYMMDD'));
    END LOOP;
    UPDATE quotes_tick_archive AS archive
    SET dropped_at_ms = floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint
    WHERE archive.day = quotes_partition_drop.day;
    RETURN true;
END $$;
"""
BACKWARD = """
DROP FUNCTION quotes_partition_drop(date);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("trading", "0003_entry_sessions_disputes"),
        ("quotes", "0004_rules_of_the_database"),
    ]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
