"""Repeats, what owners tell their experts, pairing codes, presence, and what attribution is asked by."""

import django.contrib.postgres.fields
import django.db.models.deletion
import kernel.ids
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER ea_repeat_append_only BEFORE UPDATE OR DELETE ON ea_repeat
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_repeat_no_truncate BEFORE TRUNCATE ON ea_repeat FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_instruction_append_only BEFORE UPDATE OR DELETE ON ea_instruction
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_instruction_no_truncate BEFORE TRUNCATE ON ea_instruction
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_params_ack_append_only BEFORE UPDATE OR DELETE ON ea_params_ack
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_params_ack_no_truncate BEFORE TRUNCATE ON ea_params_ack
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- A code ends once, and stays what it was; one that has ended becomes no key any more.
CREATE FUNCTION ea_pairing_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.ended_at_ms IS NOT NULL
       OR ROW(NEW.id, NEW.link_id, NEW.digest, NEW.ledgers, NEW.networks, NEW.made_at_ms, NEW.expires_at_ms)
          IS DISTINCT FROM
          ROW(OLD.id, OLD.link_id, OLD.digest, OLD.ledgers, OLD.networks, OLD.made_at_ms, OLD.expires_at_ms) THEN
        RAISE EXCEPTION 'pairing % stays on record as it is', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ea_pairing_guard BEFORE UPDATE OR DELETE ON ea_pairing
    FOR EACH ROW EXECUTE FUNCTION ea_pairing_guard();
ALTER TABLE ea_presence SET (fillfactor = 50);

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON ea_repeat, ea_instruction, ea_params_ack FROM fairstrike;
        REVOKE DELETE, TRUNCATE ON ea_pairing FROM fairstrike;
    END IF;
END $$;
"""
BACKWARD = """
DROP TRIGGER ea_pairing_guard ON ea_pairing;
DROP FUNCTION ea_pairing_guard();
DROP TRIGGER ea_params_ack_no_truncate ON ea_params_ack;
DROP TRIGGER ea_params_ack_append_only ON ea_params_ack;
DROP TRIGGER ea_instruction_no_truncate ON ea_instruction;
DROP TRIGGER ea_instruction_append_only ON ea_instruction;
DROP TRIGGER ea_repeat_no_truncate ON ea_repeat;
DROP TRIGGER ea_repeat_append_only ON ea_repeat;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('ea', '0002_rules_of_the_database'),
    ]

    operations = [
        migrations.CreateModel(
            name='Instruction',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('no', models.BigIntegerField()),
                ('kind', models.CharField(max_length=8)),
                ('strategy', models.CharField(blank=True, default='', max_length=40)),
                ('rev', models.BigIntegerField(null=True)),
                ('values', models.TextField(help_text='the parameters as a JSON object', null=True)),
                ('cmd', models.CharField(max_length=8, null=True)),
                ('frame', models.TextField(help_text='what the client is told, as it is sent')),
                ('actor_id', models.UUIDField()),
                ('at_ms', models.BigIntegerField()),
            ],
            options={
                'db_table': 'ea_instruction',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Pairing',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('digest', models.BinaryField(unique=True)),
                ('ledgers', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=10), size=None)),
                ('networks', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=49), default=list, size=None)),
                ('made_at_ms', models.BigIntegerField()),
                ('expires_at_ms', models.BigIntegerField()),
                ('ended_at_ms', models.BigIntegerField(help_text='used, or replaced by a newer one', null=True)),
                ('kid', models.CharField(help_text='the key that it became', max_length=32, null=True)),
            ],
            options={
                'db_table': 'ea_pairing',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='ParamsAck',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('kid', models.CharField(max_length=32)),
                ('at_ms', models.BigIntegerField()),
            ],
            options={
                'db_table': 'ea_params_ack',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Presence',
            fields=[
                ('kid', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('transport', models.CharField(max_length=10)),
                ('seen_at_ms', models.BigIntegerField()),
                ('online', models.BooleanField()),
            ],
            options={
                'db_table': 'ea_presence',
                'default_permissions': (),
            },
        ),
        migrations.CreateModel(
            name='Repeat',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('times', models.IntegerField()),
                ('at_us', models.BigIntegerField()),
            ],
            options={
                'db_table': 'ea_repeat',
                'default_permissions': (),
            },
        ),
        migrations.AddField(
            model_name='latency',
            name='direction',
            field=models.CharField(max_length=4, null=True),
        ),
        migrations.AddField(
            model_name='latency',
            name='link',
            field=models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ea.link'),
        ),
        migrations.AddField(
            model_name='latency',
            name='quoted_percent',
            field=models.SmallIntegerField(help_text='the payout in force at t2', null=True),
        ),
        migrations.AddField(
            model_name='latency',
            name='strategy',
            field=models.CharField(blank=True, default='', max_length=40),
        ),
        migrations.AddField(
            model_name='latency',
            name='symbol',
            field=models.CharField(help_text='ours', max_length=32, null=True),
        ),
        migrations.AddIndex(
            model_name='latency',
            index=models.Index(fields=['link', 'log_us'], name='ea_latency_by_link'),
        ),
        migrations.AddField(
            model_name='instruction',
            name='link',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='instructions', to='ea.link'),
        ),
        migrations.AddField(
            model_name='pairing',
            name='link',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ea.link'),
        ),
        migrations.AddField(
            model_name='paramsack',
            name='instruction',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='acks', to='ea.instruction'),
        ),
        migrations.AddField(
            model_name='presence',
            name='link',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='ea.link'),
        ),
        migrations.AddField(
            model_name='repeat',
            name='event',
            field=models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.PROTECT, related_name='repeats', to='ea.event'),
        ),
        migrations.AddConstraint(
            model_name='instruction',
            constraint=models.UniqueConstraint(fields=('link', 'no'), name='ea_instruction_no'),
        ),
        migrations.AddConstraint(
            model_name='instruction',
            constraint=models.UniqueConstraint(condition=models.Q(('kind', 'params')), fields=('link', 'strategy', 'rev'), name='ea_instruction_rev'),
        ),
        migrations.AddConstraint(
            model_name='instruction',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('cmd__isnull', True), ('kind', 'params'), ('rev__gt', 0), ('values__isnull', False)), models.Q(('cmd__in', ('pause', 'resume', 'flush', 'resync')), ('kind', 'command'), ('rev__isnull', True), ('values__isnull', True)), _connector='OR'), name='ea_instruction_kinds'),
        ),
        migrations.AddConstraint(
            model_name='pairing',
            constraint=models.UniqueConstraint(condition=models.Q(('ended_at_ms__isnull', True)), fields=('link',), name='ea_pairing_open'),
        ),
        migrations.AddConstraint(
            model_name='pairing',
            constraint=models.CheckConstraint(condition=models.Q(('ledgers__contained_by', ['real', 'demo', 'tournament']), ('ledgers__len__gt', 0)), name='ea_pairing_ledgers'),
        ),
        migrations.AddConstraint(
            model_name='pairing',
            constraint=models.CheckConstraint(condition=models.Q(('kid__isnull', True), ('ended_at_ms__isnull', False), _connector='OR'), name='ea_pairing_used'),
        ),
        migrations.AddConstraint(
            model_name='paramsack',
            constraint=models.UniqueConstraint(fields=('instruction', 'kid'), name='ea_params_ack_once'),
        ),
        migrations.AddConstraint(
            model_name='repeat',
            constraint=models.CheckConstraint(condition=models.Q(('times__gt', 0)), name='ea_repeat_times'),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
