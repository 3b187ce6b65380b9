"""Whether a counter may change is asked by the trigger's condition; its function is called only to refuse.

Every batch of events raises the counters of its users, so that a call for each would be paid with each.
"""

from django.db import migrations

FORWARD = """
DROP TRIGGER realtime_event_counter_guard ON realtime_event_counter;
CREATE OR REPLACE FUNCTION realtime_event_counter_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an event counter never falls' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER realtime_event_counter_guard BEFORE UPDATE ON realtime_event_counter FOR EACH ROW
    WHEN (NEW.user_id <> OLD.user_id OR NEW.seq < OLD.seq OR NEW.floor < OLD.floor)
    EXECUTE FUNCTION realtime_event_counter_guard();
CREATE TRIGGER realtime_event_counter_kept BEFORE DELETE ON realtime_event_counter
    FOR EACH ROW EXECUTE FUNCTION realtime_event_counter_guard();
"""
BACKWARD = """
DROP TRIGGER realtime_event_counter_kept ON realtime_event_counter;
DROP TRIGGER realtime_event_counter_guard ON realtime_event_counter;
CREATE OR REPLACE FUNCTION realtime_event_counter_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.user_id = OLD.user_id AND NEW.seq >= OLD.seq AND NEW.floor >= OLD.floor THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an event counter never falls' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER realtime_event_counter_guard BEFORE UPDATE OR DELETE ON realtime_event_counter
    FOR EACH ROW EXECUTE FUNCTION realtime_event_counter_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("realtime", "0001_initial")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
