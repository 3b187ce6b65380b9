"""Revisions are withdrawn on record, approved by somebody with a permission of its own, and never removed."""

from django.db import migrations, models

FORWARD = """
-- A revision in force or withdrawn never changes. One that waits keeps what was asked for and how; it is fenced once,
-- and the second person's name comes with the effect or not at all.
CREATE OR REPLACE FUNCTION quotes_revision_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.since_ms IS NOT NULL OR OLD.cancelled_at_ms IS NOT NULL
       OR ROW(NEW.id, NEW.symbol_id, NEW.number, NEW.feed, NEW.source, NEW.endpoint, NEW.price_scale, NEW.price_source,
              NEW.emergency, NEW.reason, NEW.requested_by_id, NEW.requested_at_ms)
          IS DISTINCT FROM
          ROW(OLD.id, OLD.symbol_id, OLD.number, OLD.feed, OLD.source, OLD.endpoint, OLD.price_scale, OLD.price_source,
              OLD.emergency, OLD.reason, OLD.requested_by_id, OLD.requested_at_ms)
       OR (OLD.fence_xid IS NOT NULL AND NEW.fence_xid IS DISTINCT FROM OLD.fence_xid)
       OR (NEW.approved_by_id IS NOT NULL AND (NEW.since_ms IS NULL OR NOT NEW.emergency)) THEN
        RAISE EXCEPTION 'revision % of symbol % is frozen', OLD.number, OLD.symbol_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER quotes_revision_kept BEFORE DELETE ON quotes_symbol_revision
    FOR EACH ROW EXECUTE FUNCTION quotes_append_only();

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE DELETE, TRUNCATE ON quotes_symbol_revision FROM fairstrike;
    END IF;
END $$;
"""
BACKWARD = """
DROP TRIGGER quotes_revision_kept ON quotes_symbol_revision;
CREATE OR REPLACE FUNCTION quotes_revision_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
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
"""


class Migration(migrations.Migration):

    dependencies = [
        ('quotes', '0004_rules_of_the_database'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='symbolrevision',
            options={'permissions': [('approve_emergency_revision', 'Can approve an emergency revision that somebody else asked for')]},
        ),
        migrations.RemoveConstraint(
            model_name='symbolrevision',
            name='quotes_revision_one_waits',
        ),
        migrations.AddField(
            model_name='symbolrevision',
            name='cancelled_at_ms',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='symbolrevision',
            name='cancelled_by_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddConstraint(
            model_name='symbolrevision',
            constraint=models.UniqueConstraint(condition=models.Q(('cancelled_at_ms__isnull', True), ('since_ms__isnull', True)), fields=('symbol',), name='quotes_revision_one_waits'),
        ),
        migrations.AddConstraint(
            model_name='symbolrevision',
            constraint=models.CheckConstraint(condition=models.Q(('since_ms__isnull', True), ('cancelled_at_ms__isnull', True), _connector='OR'), name='quotes_revision_cancelled_is_never_in_force'),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
