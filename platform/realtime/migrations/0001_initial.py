import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Hash partitions keep the indices of a busy log small; the parts take no write of their own.
EVENT_TABLE = """
CREATE TABLE realtime_event (
    user_id uuid NOT NULL,
    seq bigint NOT NULL CONSTRAINT realtime_event_seq_positive CHECK (seq > 0),
    book varchar(40) NOT NULL,
    type varchar(64) NOT NULL,
    version smallint NOT NULL CONSTRAINT realtime_event_version_positive CHECK (version > 0),
    payload jsonb NOT NULL,
    at_ms bigint NOT NULL,
    PRIMARY KEY (user_id, seq)
) PARTITION BY HASH (user_id);
CREATE TABLE realtime_event_0 PARTITION OF realtime_event FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE realtime_event_1 PARTITION OF realtime_event FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE realtime_event_2 PARTITION OF realtime_event FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE realtime_event_3 PARTITION OF realtime_event FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE realtime_event_4 PARTITION OF realtime_event FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE realtime_event_5 PARTITION OF realtime_event FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE realtime_event_6 PARTITION OF realtime_event FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE realtime_event_7 PARTITION OF realtime_event FOR VALUES WITH (MODULUS 8, REMAINDER 7);
"""

# Rows never change; they may go only below the floor of their user's counter, which retention raises.
GUARDS = """
ALTER TABLE realtime_event_counter SET (fillfactor = 50);
CREATE FUNCTION realtime_event_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (
        SELECT FROM realtime_event_counter WHERE user_id = OLD.user_id AND floor >= OLD.seq
    ) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'realtime_event is append-only above the floor' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER realtime_event_guard BEFORE UPDATE OR DELETE ON realtime_event
    FOR EACH ROW EXECUTE FUNCTION realtime_event_guard();
CREATE FUNCTION realtime_event_counter_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.user_id = OLD.user_id AND NEW.seq >= OLD.seq AND NEW.floor >= OLD.floor THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'an event counter never falls' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER realtime_event_counter_guard BEFORE UPDATE OR DELETE ON realtime_event_counter
    FOR EACH ROW EXECUTE FUNCTION realtime_event_counter_guard();
"""

NO_GUARDS = """
DROP TRIGGER realtime_event_counter_guard ON realtime_event_counter;
DROP FUNCTION realtime_event_counter_guard();
DROP TRIGGER realtime_event_guard ON realtime_event;
DROP FUNCTION realtime_event_guard();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="EventCounter",
            fields=[
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("seq", models.BigIntegerField(default=0)),
                ("floor", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "realtime_event_counter",
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("floor__gte", 0), ("seq__gte", models.F("floor"))),
                        name="realtime_event_counter_order",
                    )
                ],
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(EVENT_TABLE, "DROP TABLE realtime_event")],
            state_operations=[
                migrations.CreateModel(
                    name="Event",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "user_id",
                                "seq",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("user_id", models.UUIDField()),
                        ("seq", models.BigIntegerField()),
                        ("book", models.CharField(blank=True, max_length=40)),
                        ("type", models.CharField(max_length=64)),
                        ("version", models.SmallIntegerField()),
                        ("payload", models.JSONField()),
                        ("at_ms", models.BigIntegerField()),
                    ],
                    options={
                        "db_table": "realtime_event",
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("seq__gt", 0)), name="realtime_event_seq_positive"
                            ),
                            models.CheckConstraint(
                                condition=models.Q(("version__gt", 0)), name="realtime_event_version_positive"
                            ),
                        ],
                    },
                ),
            ],
        ),
        migrations.RunSQL(GUARDS, NO_GUARDS),
    ]
