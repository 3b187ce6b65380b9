"""What the platform publishes about itself: equal execution by day, nightly re-settlements and invariants."""

import django.contrib.postgres.fields
from django.db import migrations, models


# What was published stays as it was, whoever would rather have it otherwise.
KEPT = """
CREATE TRIGGER settlement_resettlement_append_only BEFORE UPDATE OR DELETE ON settlement_resettlement
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER settlement_resettlement_no_truncate BEFORE TRUNCATE ON settlement_resettlement
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER settlement_invariant_night_append_only BEFORE UPDATE OR DELETE ON settlement_invariant_night
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER settlement_invariant_night_no_truncate BEFORE TRUNCATE ON settlement_invariant_night
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON settlement_resettlement, settlement_invariant_night FROM fairstrike;
    END IF;
END $$;
"""
FREE = """
DROP TRIGGER settlement_invariant_night_no_truncate ON settlement_invariant_night;
DROP TRIGGER settlement_invariant_night_append_only ON settlement_invariant_night;
DROP TRIGGER settlement_resettlement_no_truncate ON settlement_resettlement;
DROP TRIGGER settlement_resettlement_append_only ON settlement_resettlement;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('settlement', '0001_statistics'),
        ('ledger', '0002_rules_of_the_database'),
    ]

    operations = [
        migrations.CreateModel(
            name='ResettledDay',
            fields=[
                ('checked', models.BigIntegerField()),
                ('differences', models.BigIntegerField()),
                ('unavailable', models.BigIntegerField()),
                ('day', models.DateField(primary_key=True, serialize=False)),
                ('at_ms', models.BigIntegerField()),
            ],
            options={
                'db_table': 'settlement_resettled_day',
            },
        ),
        migrations.CreateModel(
            name='ExecutionDay',
            fields=[
                ('pk', models.CompositePrimaryKey('day', 'book_kind', 'side', blank=True, editable=False, primary_key=True, serialize=False)),
                ('day', models.DateField()),
                ('book_kind', models.CharField(choices=[('real', 'real'), ('demo', 'demo'), ('tournament', 'tournament')], max_length=10, verbose_name='ledger')),
                ('side', models.CharField(max_length=8, verbose_name='group')),
                ('clients', models.IntegerField()),
                ('orders', models.BigIntegerField()),
                ('latencies', django.contrib.postgres.fields.ArrayField(base_field=models.BigIntegerField(), help_text='orders by bucket of the time they took', size=None)),
                ('refusals', models.JSONField(help_text='refused orders by code')),
                ('refunds', models.JSONField(help_text='refunded orders by reason')),
                ('settled', models.BigIntegerField()),
                ('payout_sum', models.BigIntegerField(help_text='percent, over all orders')),
                ('last_entries', models.BigIntegerField(help_text='orders under last_tick/1')),
                ('last_age_ms', models.BigIntegerField(help_text="sum of their ticks' ages at acceptance")),
                ('next_entries', models.BigIntegerField(help_text='orders under next_tick/1 that entered')),
                ('next_wait_ms', models.BigIntegerField(help_text='sum of their waits for a tick')),
                ('final', models.BooleanField()),
                ('counted_at_ms', models.BigIntegerField()),
            ],
            options={
                'db_table': 'settlement_execution_day',
                'constraints': [models.CheckConstraint(condition=models.Q(('side__in', ['all', 'winners', 'losers'])), name='settlement_execution_side')],
            },
        ),
        migrations.CreateModel(
            name='InvariantNight',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at_ms', models.BigIntegerField()),
                ('violations', models.JSONField(help_text='by invariant')),
            ],
            options={
                'db_table': 'settlement_invariant_night',
                'indexes': [models.Index(fields=['-at_ms', '-id'], name='settlement_invariants_newest')],
            },
        ),
        migrations.CreateModel(
            name='Resettlement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('checked', models.BigIntegerField()),
                ('differences', models.BigIntegerField()),
                ('unavailable', models.BigIntegerField()),
                ('at_ms', models.BigIntegerField()),
                ('from_ms', models.BigIntegerField(help_text='null when there was nothing to check', null=True)),
                ('to_ms', models.BigIntegerField()),
            ],
            options={
                'db_table': 'settlement_resettlement',
                'indexes': [models.Index(fields=['-at_ms', '-id'], name='settlement_resettled_newest')],
            },
        ),
        migrations.RunSQL(KEPT, FREE),
    ]
