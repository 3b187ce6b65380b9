"""What the bridge's tables refuse by themselves: an edited log, a way that is none, a second start, a lost key."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER ea_event_append_only BEFORE UPDATE OR DELETE ON ea_event
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_event_no_truncate BEFORE TRUNCATE ON ea_event FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_order_event_append_only BEFORE UPDATE OR DELETE ON ea_order_event
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_order_event_no_truncate BEFORE TRUNCATE ON ea_order_event
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_latency_append_only BEFORE UPDATE OR DELETE ON ea_latency
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_latency_no_truncate BEFORE TRUNCATE ON ea_latency FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_alert_append_only BEFORE UPDATE OR DELETE ON ea_alert
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_alert_no_truncate BEFORE TRUNCATE ON ea_alert FOR EACH STATEMENT EXECUTE FUNCTION append_only();

ALTER TABLE ea_event ADD CONSTRAINT ea_event_digests CHECK (
    sha256 = sha256(raw) AND octet_length(prev_sha256) = 32);

-- The ways of ea.domain.WAYS.
CREATE FUNCTION ea_way(from_state text, to_state text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT to_state = ANY (CASE from_state
        WHEN 'received' THEN ARRAY['validated', 'denied', 'expired', 'cancelled']
        WHEN 'validated' THEN ARRAY['routed', 'denied', 'expired', 'cancelled']
        WHEN 'routed' THEN ARRAY['submitted', 'denied', 'expired', 'cancelled']
        WHEN 'submitted' THEN ARRAY['accepted', 'rejected', 'expired', 'unknown']
        WHEN 'unknown' THEN ARRAY['open', 'rejected']
        WHEN 'accepted' THEN ARRAY['open', 'settled']
        WHEN 'open' THEN ARRAY['settled']
        ELSE ARRAY[]::text[] END)
$$;
ALTER TABLE ea_order_event ADD CONSTRAINT ea_order_event_way CHECK (ea_way(from_state, state) AND step > 0);

-- A step goes on where the one before it ended, and nowhere else.
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

-- The row of an order says what its newest step says, and what it has once been given stays.
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
CREATE TRIGGER ea_order_no_truncate BEFORE TRUNCATE ON ea_order FOR EACH STATEMENT EXECUTE FUNCTION append_only();
ALTER TABLE ea_order SET (fillfactor = 70);

CREATE FUNCTION ea_counter_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.no < OLD.no OR NEW.link_id <> OLD.link_id THEN
        RAISE EXCEPTION 'the numbers of an installation go forward only' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ea_counter_guard BEFORE UPDATE OR DELETE ON ea_counter
    FOR EACH ROW EXECUTE FUNCTION ea_counter_guard();
ALTER TABLE ea_counter SET (fillfactor = 50);

-- A key stays what it is; it can only end, and a revocation is for ever.
CREATE FUNCTION ea_key_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.kid <> OLD.kid OR NEW.link_id <> OLD.link_id
       OR OLD.revoked_at_ms IS NOT NULL AND NEW.revoked_at_ms IS DISTINCT FROM OLD.revoked_at_ms THEN
        RAISE EXCEPTION 'key % stays on record as it is', OLD.kid USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ea_key_guard BEFORE UPDATE OR DELETE ON ea_key FOR EACH ROW EXECUTE FUNCTION ea_key_guard();

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON ea_event, ea_order_event, ea_latency, ea_alert FROM fairstrike;
        REVOKE DELETE, TRUNCATE ON ea_order, ea_key, ea_counter, ea_link FROM fairstrike;
    END IF;
END $$;
"""
BACKWARD = """
DROP TRIGGER ea_key_guard ON ea_key;
DROP FUNCTION ea_key_guard();
DROP TRIGGER ea_counter_guard ON ea_counter;
DROP FUNCTION ea_counter_guard();
DROP TRIGGER ea_order_no_truncate ON ea_order;
DROP TRIGGER ea_order_guard ON ea_order;
DROP FUNCTION ea_order_guard();
DROP TRIGGER ea_order_event_follows ON ea_order_event;
DROP FUNCTION ea_order_event_follows();
ALTER TABLE ea_order_event DROP CONSTRAINT ea_order_event_way;
DROP FUNCTION ea_way(text, text);
ALTER TABLE ea_event DROP CONSTRAINT ea_event_digests;
DROP TRIGGER ea_alert_no_truncate ON ea_alert;
DROP TRIGGER ea_alert_append_only ON ea_alert;
DROP TRIGGER ea_latency_no_truncate ON ea_latency;
DROP TRIGGER ea_latency_append_only ON ea_latency;
DROP TRIGGER ea_order_event_no_truncate ON ea_order_event;
DROP TRIGGER ea_order_event_append_only ON ea_order_event;
DROP TRIGGER ea_event_no_truncate ON ea_event;
DROP TRIGGER ea_event_append_only ON ea_event;
"""


class Migration(migrations.Migration):
    dependencies = [("ea", "0001_initial"), ("ledger", "0002_rules_of_the_database")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
