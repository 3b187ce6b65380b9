"""Results of the checks, the indices that they read by, and the guards that they found missing."""

from django.db import migrations, models

FORWARD = """
-- Orders and events come in the order of time: a few bytes for each stretch of the tables find what is new. A summary
-- that changes with the settlement of an order does not keep that update from staying on its page (PostgreSQL 16).
CREATE INDEX trading_order_by_time ON trading_order USING brin (accepted_at_ms, settled_at_ms)
    WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX realtime_event_by_time ON realtime_event USING brin (at_ms)
    WITH (pages_per_range = 32, autosummarize = on);

-- Nobody empties what nobody may edit.
CREATE TRIGGER quotes_tick_no_truncate BEFORE TRUNCATE ON quotes_tick
    FOR EACH STATEMENT EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_watermark_raise_no_truncate BEFORE TRUNCATE ON quotes_watermark_raise
    FOR EACH STATEMENT EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_feed_declaration_no_truncate BEFORE TRUNCATE ON quotes_feed_declaration
    FOR EACH STATEMENT EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_incident_no_truncate BEFORE TRUNCATE ON quotes_incident
    FOR EACH STATEMENT EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_calendar_change_no_truncate BEFORE TRUNCATE ON quotes_calendar_change
    FOR EACH STATEMENT EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_seal_no_truncate BEFORE TRUNCATE ON quotes_seal
    FOR EACH STATEMENT EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_seal_origin_no_truncate BEFORE TRUNCATE ON quotes_seal_origin
    FOR EACH STATEMENT EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_day_archive_no_truncate BEFORE TRUNCATE ON quotes_day_archive
    FOR EACH STATEMENT EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_day_manifest_no_truncate BEFORE TRUNCATE ON quotes_day_manifest
    FOR EACH STATEMENT EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER kernel_signing_key_no_truncate BEFORE TRUNCATE ON kernel_signing_key
    FOR EACH STATEMENT EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER realtime_event_no_truncate BEFORE TRUNCATE ON realtime_event
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A partition is a table of its own, and the rights of new tables are those that most tables need: the application
-- reaches a day of the log through the whole only, and may change neither.
CREATE OR REPLACE FUNCTION quotes_partition_ensure(day date) RETURNS void
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
            IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
                EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON %I FROM fairstrike',
                               parent || '_' || suffix);
            END IF;
        END IF;
    END LOOP;
END $$;

DO $$
DECLARE
    part regclass;
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        FOR part IN SELECT inhrelid::regclass FROM pg_inherits
                    WHERE inhparent IN ('quotes_tick'::regclass, 'quotes_watermark_raise'::regclass) LOOP
            EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON %s FROM fairstrike', part);
        END LOOP;
        -- Retention deletes below the floor; nothing changes an event.
        REVOKE UPDATE, TRUNCATE ON realtime_event FROM fairstrike;
        FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'realtime_event'::regclass LOOP
            EXECUTE format('REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON %s FROM fairstrike', part);
        END LOOP;
    END IF;
END $$;
"""
BACKWARD = """
DROP TRIGGER realtime_event_no_truncate ON realtime_event;
DROP TRIGGER kernel_signing_key_no_truncate ON kernel_signing_key;
DROP TRIGGER quotes_day_manifest_no_truncate ON quotes_day_manifest;
DROP TRIGGER quotes_day_archive_no_truncate ON quotes_day_archive;
DROP TRIGGER quotes_seal_origin_no_truncate ON quotes_seal_origin;
DROP TRIGGER quotes_seal_no_truncate ON quotes_seal;
DROP TRIGGER quotes_calendar_change_no_truncate ON quotes_calendar_change;
DROP TRIGGER quotes_incident_no_truncate ON quotes_incident;
DROP TRIGGER quotes_feed_declaration_no_truncate ON quotes_feed_declaration;
DROP TRIGGER quotes_watermark_raise_no_truncate ON quotes_watermark_raise;
DROP TRIGGER quotes_tick_no_truncate ON quotes_tick;
DROP INDEX realtime_event_by_time;
DROP INDEX trading_order_by_time;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("settlement", "0002_fairness"),
        ("kernel", "0003_signing_keys"),
        ("ledger", "0004_rules_of_requests_and_checkpoints"),
        ("quotes", "0009_gaps"),
        ("realtime", "0001_initial"),
        ("trading", "0006_execution"),
    ]

    operations = [
        migrations.CreateModel(
            name="InvariantResult",
            fields=[
                ("name", models.CharField(max_length=120, primary_key=True, serialize=False)),
                (
                    "violations",
                    models.BigIntegerField(help_text="over what was new at the last check of a minute", null=True),
                ),
                ("since_ms", models.BigIntegerField(help_text="from where that check read", null=True)),
                ("checked_at_ms", models.BigIntegerField(null=True)),
                ("full_violations", models.BigIntegerField(help_text="over everything", null=True)),
                ("full_checked_at_ms", models.BigIntegerField(null=True)),
            ],
            options={"db_table": "settlement_invariant_result", "ordering": ["name"]},
        ),
        migrations.AddConstraint(
            model_name="invariantresult",
            constraint=models.CheckConstraint(
                condition=models.Q(checked_at_ms__isnull=True, since_ms__isnull=True, violations__isnull=True)
                | models.Q(checked_at_ms__isnull=False, since_ms__isnull=False, violations__isnull=False),
                name="settlement_invariant_lately_whole",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
