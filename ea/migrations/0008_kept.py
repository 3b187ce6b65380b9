"""A version of all that signals are judged by, and rules that are checked by statement or called to refuse only."""

import django.db.models.deletion
from django.db import migrations, models

# Deferred: the version is the last lock of whoever moves it, so that it stands in nobody's order of locks. It is the
# transaction's own number: no two are alike, also of transactions that commit in another order than they began.
VERSION = """
CREATE FUNCTION ea_version_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ea_version AS known (id, no) VALUES (1, pg_current_xact_id()::text::bigint)
    ON CONFLICT (id) DO UPDATE SET no = excluded.no WHERE known.no <> excluded.no;
    RETURN NULL;
END $$;
INSERT INTO ea_version (id, no) VALUES (1, pg_current_xact_id()::text::bigint);
CREATE CONSTRAINT TRIGGER ea_link_versioned AFTER INSERT OR UPDATE OR DELETE ON ea_link
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ea_version_moved();
CREATE CONSTRAINT TRIGGER ea_key_versioned AFTER INSERT OR UPDATE OR DELETE ON ea_key
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ea_version_moved();
CREATE CONSTRAINT TRIGGER ea_symbol_alias_versioned AFTER INSERT OR UPDATE OR DELETE ON ea_symbol_alias
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ea_version_moved();
CREATE CONSTRAINT TRIGGER ea_trading_switch_versioned AFTER INSERT OR UPDATE OR DELETE ON ea_trading_switch
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ea_version_moved();
CREATE CONSTRAINT TRIGGER ea_risk_limits_versioned AFTER INSERT OR UPDATE OR DELETE ON ea_risk_limits
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ea_version_moved();
CREATE CONSTRAINT TRIGGER ea_risk_stop_versioned AFTER INSERT OR UPDATE OR DELETE ON ea_risk_stop
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ea_version_moved();
CREATE CONSTRAINT TRIGGER ea_symbols_versioned AFTER INSERT OR DELETE OR UPDATE OF code ON quotes_symbol
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ea_version_moved();
"""
VERSION_BACKWARD = """
DROP TRIGGER ea_symbols_versioned ON quotes_symbol;
DROP TRIGGER ea_risk_stop_versioned ON ea_risk_stop;
DROP TRIGGER ea_risk_limits_versioned ON ea_risk_limits;
DROP TRIGGER ea_trading_switch_versioned ON ea_trading_switch;
DROP TRIGGER ea_symbol_alias_versioned ON ea_symbol_alias;
DROP TRIGGER ea_key_versioned ON ea_key;
DROP TRIGGER ea_link_versioned ON ea_link;
DROP FUNCTION ea_version_moved();
"""

RULES = """
DROP TRIGGER ea_order_event_follows ON ea_order_event;
DROP FUNCTION ea_order_event_follows();
DROP TRIGGER ea_order_guard ON ea_order;
DROP FUNCTION ea_order_guard();
DROP TRIGGER ea_counter_guard ON ea_counter;
DROP FUNCTION ea_counter_guard();

-- Of an order that is there, and going on where the step before it ended: all steps of a statement at once. Each is
-- looked up by its key, whatever the planner thinks of so small a table.
CREATE FUNCTION ea_order_event_follows() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    wrong record;
BEGIN
    SELECT stepped.order_id, stepped.from_state, owner.link_id,
           CASE WHEN stepped.step = 1 THEN 'received' ELSE before.state END AS stands INTO wrong
    FROM stepped
    LEFT JOIN LATERAL (SELECT link_id FROM ea_order WHERE event_id = stepped.order_id OFFSET 0) AS owner ON true
    LEFT JOIN LATERAL (SELECT state FROM ea_order_event AS earlier WHERE earlier.order_id = stepped.order_id
                       AND earlier.step = stepped.step - 1 AND stepped.step > 1 OFFSET 0) AS before ON true
    WHERE owner.link_id IS DISTINCT FROM stepped.link_id
       OR CASE WHEN stepped.step = 1 THEN 'received' ELSE before.state END IS DISTINCT FROM stepped.from_state
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'order of event % stands at %, not at %', wrong.order_id, wrong.stands, wrong.from_state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ea_order_event_follows AFTER INSERT ON ea_order_event REFERENCING NEW TABLE AS stepped
    FOR EACH STATEMENT EXECUTE FUNCTION ea_order_event_follows();

CREATE FUNCTION ea_order_refused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'an event starts as received' USING ERRCODE = 'restrict_violation';
    ELSIF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'the order of an event is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    RAISE EXCEPTION 'the order of event % goes forward only, and what it was given is frozen', OLD.event_id
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ea_order_starts BEFORE INSERT ON ea_order
    FOR EACH ROW WHEN (NEW.state <> 'received' OR NEW.step <> 0) EXECUTE FUNCTION ea_order_refused();
CREATE TRIGGER ea_order_kept BEFORE DELETE ON ea_order FOR EACH ROW EXECUTE FUNCTION ea_order_refused();
CREATE TRIGGER ea_order_guard BEFORE UPDATE ON ea_order FOR EACH ROW WHEN (
    NEW.event_id <> OLD.event_id OR NEW.link_id <> OLD.link_id OR NEW.step <= OLD.step
    OR OLD.ticket IS NOT NULL AND ROW(NEW.ticket, NEW.wallet_id, NEW.client_order_id, NEW.not_after_ms)
       IS DISTINCT FROM ROW(OLD.ticket, OLD.wallet_id, OLD.client_order_id, OLD.not_after_ms)
    OR OLD.order_id IS NOT NULL AND NEW.order_id IS DISTINCT FROM OLD.order_id)
    EXECUTE FUNCTION ea_order_refused();

-- The row of an order says what its newest step says.
CREATE FUNCTION ea_order_stands() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    wrong record;
BEGIN
    SELECT moved.event_id, moved.state INTO wrong FROM moved
    LEFT JOIN LATERAL (SELECT state FROM ea_order_event AS newest WHERE newest.order_id = moved.event_id
                       AND newest.step = moved.step OFFSET 0) AS step ON true
    WHERE step.state IS DISTINCT FROM moved.state LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the order of event % has not come to %', wrong.event_id, wrong.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ea_order_stands AFTER UPDATE ON ea_order REFERENCING NEW TABLE AS moved
    FOR EACH STATEMENT EXECUTE FUNCTION ea_order_stands();

CREATE FUNCTION ea_counter_refused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the numbers of an installation go forward only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER ea_counter_guard BEFORE UPDATE ON ea_counter
    FOR EACH ROW WHEN (NEW.no < OLD.no OR NEW.link_id <> OLD.link_id) EXECUTE FUNCTION ea_counter_refused();
CREATE TRIGGER ea_counter_kept BEFORE DELETE ON ea_counter FOR EACH ROW EXECUTE FUNCTION ea_counter_refused();
"""
RULES_BACKWARD = """
DROP TRIGGER ea_counter_kept ON ea_counter;
DROP TRIGGER ea_counter_guard ON ea_counter;
DROP FUNCTION ea_counter_refused();
CREATE FUNCTION ea_counter_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.no < OLD.no OR NEW.link_id <> OLD.link_id THEN
        RAISE EXCEPTION 'the numbers of an installation go forward only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ea_counter_guard BEFORE UPDATE OR DELETE ON ea_counter
    FOR EACH ROW EXECUTE FUNCTION ea_counter_guard();

DROP TRIGGER ea_order_stands ON ea_order;
DROP FUNCTION ea_order_stands();
DROP TRIGGER ea_order_guard ON ea_order;
DROP TRIGGER ea_order_kept ON ea_order;
DROP TRIGGER ea_order_starts ON ea_order;
DROP FUNCTION ea_order_refused();
CREATE FUNCTION ea_order_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'the order of an event is never deleted' USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'received' OR NEW.step <> 0 THEN
            RAISE EXCEPTION 'an event starts as received' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.event_id <> OLD.event_id OR NEW.link_id <> OLD.link_id
       OR OLD.ticket IS NOT NULL AND ROW(NEW.ticket, NEW.wallet_id, NEW.client_order_id, NEW.not_after_ms)
          IS DISTINCT FROM ROW(OLD.ticket, OLD.wallet_id, OLD.client_order_id, OLD.not_after_ms)
       OR OLD.order_id IS NOT NULL AND NEW.order_id IS DISTINCT FROM OLD.order_id THEN
        RAISE EXCEPTION 'what the order of event % was given is frozen', OLD.event_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.step <= OLD.step OR NOT EXISTS (SELECT FROM ea_order_event
            WHERE order_id = NEW.event_id AND step = NEW.step AND state = NEW.state) THEN
        RAISE EXCEPTION 'the order of event % has not come to %', OLD.event_id, NEW.state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ea_order_guard BEFORE INSERT OR UPDATE OR DELETE ON ea_order
    FOR EACH ROW EXECUTE FUNCTION ea_order_guard();

DROP TRIGGER ea_order_event_follows ON ea_order_event;
DROP FUNCTION ea_order_event_follows();
CREATE FUNCTION ea_order_event_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stands text;
BEGIN
    IF NEW.step = 1 THEN
        stands := 'received';
    ELSE
        SELECT state INTO stands FROM ea_order_event WHERE order_id = NEW.order_id AND step = NEW.step - 1;
    END IF;
    IF stands IS DISTINCT FROM NEW.from_state THEN
        RAISE EXCEPTION 'order of event % stands at %, not at %', NEW.order_id, stands, NEW.from_state
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ea_order_event_follows BEFORE INSERT ON ea_order_event
    FOR EACH ROW EXECUTE FUNCTION ea_order_event_follows();
"""


class Migration(migrations.Migration):
    dependencies = [("ea", "0007_orders_have_events_by_statement"), ("quotes", "0009_gaps")]

    operations = [
        migrations.CreateModel(
            name="Version",
            fields=[
                ("id", models.SmallIntegerField(primary_key=True, serialize=False)),
                ("no", models.BigIntegerField()),
            ],
            options={"db_table": "ea_version", "default_permissions": ()},
        ),
        migrations.AlterField(
            model_name="transition",
            name="order",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="transitions",
                to="ea.eaorder",
            ),
        ),
        migrations.AlterField(
            model_name="latency",
            name="event",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                primary_key=True,
                related_name="+",
                serialize=False,
                to="ea.event",
            ),
        ),
        migrations.AlterField(
            model_name="latency",
            name="quoted_percent",
            field=models.SmallIntegerField(
                help_text="the payout in force at t2, of what became an order", null=True
            ),
        ),
        migrations.RunSQL(VERSION, VERSION_BACKWARD),
        migrations.RunSQL(RULES, RULES_BACKWARD),
    ]
