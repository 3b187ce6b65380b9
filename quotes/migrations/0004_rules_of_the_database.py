"""What the tables of the market refuse by themselves: overlapping hours, edited records, a changed revision."""

from django.db import migrations

FORWARD = """
-- The calendar is a degenerate range: no extension is needed to exclude by it.
ALTER TABLE quotes_trading_window ADD CONSTRAINT quotes_window_no_overlap EXCLUDE USING gist (
    int8range(calendar_id, calendar_id, '[]') WITH &&, int8range(opens_ms, closes_ms) WITH &&
) WHERE (superseded_at_ms IS NULL);

CREATE FUNCTION quotes_window_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF ROW(NEW.id, NEW.calendar_id, NEW.opens_ms, NEW.closes_ms, NEW.made_at_ms)
       IS DISTINCT FROM ROW(OLD.id, OLD.calendar_id, OLD.opens_ms, OLD.closes_ms, OLD.made_at_ms)
       OR OLD.superseded_at_ms IS NOT NULL THEN
        RAISE EXCEPTION 'a trading window is superseded, never edited' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER quotes_window_frozen BEFORE UPDATE ON quotes_trading_window
    FOR EACH ROW EXECUTE FUNCTION quotes_window_frozen();

-- A revision that is in force never changes; one that waits keeps what was asked for.
CREATE FUNCTION quotes_revision_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.since_ms IS NOT NULL
       OR ROW(NEW.symbol_id, NEW.number, NEW.feed, NEW.source, NEW.endpoint, NEW.price_scale, NEW.price_source,
              NEW.reason, NEW.requested_by_id, NEW.requested_at_ms)
          IS DISTINCT FROM
          ROW(OLD.symbol_id, OLD.number, OLD.feed, OLD.source, OLD.endpoint, OLD.price_scale, OLD.price_source,
              OLD.reason, OLD.requested_by_id, OLD.requested_at_ms) THEN
        RAISE EXCEPTION 'revision % of symbol % is frozen', OLD.number, OLD.symbol_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER quotes_revision_frozen BEFORE UPDATE ON quotes_symbol_revision
    FOR EACH ROW EXECUTE FUNCTION quotes_revision_frozen();

CREATE TRIGGER quotes_feed_declaration_append_only BEFORE UPDATE OR DELETE ON quotes_feed_declaration
    FOR EACH ROW EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_incident_append_only BEFORE UPDATE OR DELETE ON quotes_incident
    FOR EACH ROW EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_calendar_change_append_only BEFORE UPDATE OR DELETE ON quotes_calendar_change
    FOR EACH ROW EXECUTE FUNCTION quotes_append_only();

UPDATE quotes_symbol AS symbol SET custom = true
WHERE feed IN ('simulator', 'script') OR EXISTS (
    SELECT FROM quotes_symbol_revision AS revision
    WHERE revision.symbol_id = symbol.id AND revision.number = symbol.revision AND revision.endpoint <> '');

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON quotes_feed_declaration, quotes_incident, quotes_calendar_change
            FROM fairstrike;
    END IF;
END $$;
"""
BACKWARD = """
DROP TRIGGER quotes_calendar_change_append_only ON quotes_calendar_change;
DROP TRIGGER quotes_incident_append_only ON quotes_incident;
DROP TRIGGER quotes_feed_declaration_append_only ON quotes_feed_declaration;
DROP TRIGGER quotes_revision_frozen ON quotes_symbol_revision;
DROP FUNCTION quotes_revision_frozen();
DROP TRIGGER quotes_window_frozen ON quotes_trading_window;
DROP FUNCTION quotes_window_frozen();
ALTER TABLE quotes_trading_window DROP CONSTRAINT quotes_window_no_overlap;
"""


class Migration(migrations.Migration):
    dependencies = [("quotes", "0003_calendars_revisions_closures")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
