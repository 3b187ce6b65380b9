"""Seals of ticks: append-only, each following the one before it; where their heads were told; archives of days."""

import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
ALTER TABLE quotes_seal
    ADD CONSTRAINT quotes_seal_whole_minute CHECK (minute_ms % 60000 = 0),
    ADD CONSTRAINT quotes_seal_has_ticks CHECK (count > 0 AND first_seq > 0),
    ADD CONSTRAINT quotes_seal_hashes CHECK (
        octet_length(root) = 32 AND octet_length(previous_head) = 32 AND octet_length(head) = 32);
ALTER TABLE quotes_day_archive
    ADD CONSTRAINT quotes_day_archive_hashes CHECK (
        octet_length(root) = 32 AND octet_length(previous_head) = 32 AND octet_length(last_head) = 32
        AND length(sha256) = 64);

-- Logs that are older than seals: their chains begin somewhere behind what was there when seals were introduced. The
-- chain of every other symbol begins with its first tick. Filled here, and by nobody else.
CREATE TABLE quotes_seal_origin (symbol_id integer PRIMARY KEY, first_seq bigint NOT NULL CHECK (first_seq > 0));
INSERT INTO quotes_seal_origin
SELECT head.symbol_id, coalesce(oldest.seq, head.seq + 1)
FROM quotes_symbol_head AS head
LEFT JOIN LATERAL (
    SELECT tick.seq FROM quotes_tick AS tick WHERE tick.symbol_id = head.symbol_id
    ORDER BY tick.at_ms, tick.seq LIMIT 1
) AS oldest ON true
WHERE head.seq > 0;

-- A row sees those that the same statement wrote before it. Two statements that write at once meet in the unique
-- constraints: both would begin with the same number.
CREATE FUNCTION quotes_seal_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    before record;
BEGIN
    SELECT seal.minute_ms, seal.first_seq + seal.count AS next_seq, seal.head INTO before
    FROM quotes_seal AS seal WHERE seal.symbol_id = NEW.symbol_id ORDER BY seal.first_seq DESC LIMIT 1;
    IF FOUND THEN
        IF NEW.previous_head <> before.head OR NEW.first_seq <> before.next_seq OR NEW.minute_ms <= before.minute_ms THEN
            RAISE EXCEPTION 'a seal of symbol % does not follow the one before it', NEW.symbol_id
                USING ERRCODE = 'restrict_violation';
        END IF;
    ELSIF NEW.previous_head <> decode(repeat('00', 32), 'hex') OR NEW.first_seq <> 1 AND NOT EXISTS (
        SELECT FROM quotes_seal_origin AS origin
        WHERE origin.symbol_id = NEW.symbol_id AND origin.first_seq <= NEW.first_seq) THEN
        RAISE EXCEPTION 'the first seal of symbol % does not begin with its first tick', NEW.symbol_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER quotes_seal_follows BEFORE INSERT ON quotes_seal
    FOR EACH ROW EXECUTE FUNCTION quotes_seal_follows();
CREATE TRIGGER quotes_seal_append_only BEFORE UPDATE OR DELETE ON quotes_seal
    FOR EACH ROW EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_seal_origin_append_only BEFORE UPDATE OR DELETE ON quotes_seal_origin
    FOR EACH ROW EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_day_archive_append_only BEFORE UPDATE OR DELETE ON quotes_day_archive
    FOR EACH ROW EXECUTE FUNCTION quotes_append_only();
CREATE TRIGGER quotes_day_manifest_append_only BEFORE UPDATE OR DELETE ON quotes_day_manifest
    FOR EACH ROW EXECUTE FUNCTION quotes_append_only();

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON quotes_seal, quotes_day_archive, quotes_day_manifest FROM fairstrike;
        REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON quotes_seal_origin FROM fairstrike;
    END IF;
END $$;
"""
BACKWARD = """
DROP TRIGGER quotes_day_manifest_append_only ON quotes_day_manifest;
DROP TRIGGER quotes_day_archive_append_only ON quotes_day_archive;
DROP TABLE quotes_seal_origin;
DROP TRIGGER quotes_seal_append_only ON quotes_seal;
DROP TRIGGER quotes_seal_follows ON quotes_seal;
DROP FUNCTION quotes_seal_follows();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('quotes', '0007_trading_hours_by_name'),
    ]

    operations = [
        migrations.CreateModel(
            name='DayManifest',
            fields=[
                ('day', models.DateField(primary_key=True, serialize=False)),
                ('document', models.TextField()),
                ('made_at_ms', models.BigIntegerField()),
            ],
            options={
                'db_table': 'quotes_day_manifest',
            },
        ),
        migrations.CreateModel(
            name='HeadPublication',
            fields=[
                ('target', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('seal_id', models.BigIntegerField(default=0, help_text='the newest seal whose head has arrived there')),
                ('published_at_ms', models.BigIntegerField(null=True)),
                ('failures', models.BigIntegerField(default=0, help_text='attempts that failed, ever')),
                ('failed_at_ms', models.BigIntegerField(null=True)),
                ('error', models.CharField(blank=True, default='', max_length=200)),
            ],
            options={
                'db_table': 'quotes_head_publication',
            },
        ),
        migrations.CreateModel(
            name='DayArchive',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('path', models.CharField(help_text="below the archive's directory", max_length=300)),
                ('bytes', models.BigIntegerField(help_text='of the text')),
                ('sha256', models.CharField(help_text='of the text', max_length=64)),
                ('seals', models.IntegerField()),
                ('ticks', models.BigIntegerField()),
                ('previous_head', models.BinaryField()),
                ('last_head', models.BinaryField()),
                ('root', models.BinaryField()),
                ('written_at_ms', models.BigIntegerField()),
                ('symbol', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='day_archives', to='quotes.symbol')),
            ],
            options={
                'db_table': 'quotes_day_archive',
                'constraints': [models.UniqueConstraint(fields=('day', 'symbol'), name='quotes_day_archive_once')],
            },
        ),
        migrations.CreateModel(
            name='Seal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('minute_ms', models.BigIntegerField()),
                ('count', models.IntegerField()),
                ('first_seq', models.BigIntegerField()),
                ('root', models.BinaryField()),
                ('previous_head', models.BinaryField()),
                ('head', models.BinaryField()),
                ('sealed_at_ms', models.BigIntegerField()),
                ('symbol', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='seals', to='quotes.symbol')),
            ],
            options={
                'db_table': 'quotes_seal',
                'indexes': [django.contrib.postgres.indexes.BrinIndex(fields=['sealed_at_ms'], name='quotes_seal_made', pages_per_range=16)],
                'constraints': [models.UniqueConstraint(fields=('symbol', 'minute_ms'), name='quotes_seal_minute'), models.UniqueConstraint(fields=('symbol', 'first_seq'), name='quotes_seal_first_seq')],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
