"""The public keys that signed, append-only but for ending a key's time once."""

from django.db import migrations, models
from django.db.models import F, Q

FORWARD = """
CREATE FUNCTION kernel_signing_key_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.until_ms IS NULL AND NEW.until_ms IS NOT NULL
       AND (NEW.id, NEW.key_id, NEW.public_key, NEW.kind, NEW.since_ms)
         = (OLD.id, OLD.key_id, OLD.public_key, OLD.kind, OLD.since_ms) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'kernel_signing_key is append-only: % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER kernel_signing_key_guard BEFORE UPDATE OR DELETE ON kernel_signing_key
    FOR EACH ROW EXECUTE FUNCTION kernel_signing_key_guard();

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE DELETE, TRUNCATE ON kernel_signing_key FROM fairstrike;
    END IF;
END $$;
"""
BACKWARD = """
DROP TRIGGER kernel_signing_key_guard ON kernel_signing_key;
DROP FUNCTION kernel_signing_key_guard();
"""


class Migration(migrations.Migration):
    dependencies = [("kernel", "0002_facts_and_jobs")]

    operations = [
        migrations.CreateModel(
            name="SigningKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key_id", models.CharField(max_length=16, unique=True)),
                ("public_key", models.CharField(max_length=64)),
                ("kind", models.CharField(max_length=10)),
                ("since_ms", models.BigIntegerField()),
                ("until_ms", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "kernel_signing_key",
                "constraints": [
                    models.CheckConstraint(condition=Q(key_id__regex="^[0-9a-f]{16}$"), name="kernel_signing_key_id"),
                    models.CheckConstraint(
                        condition=Q(public_key__regex="^[0-9a-f]{64}$"), name="kernel_signing_key_public"
                    ),
                    models.CheckConstraint(
                        condition=Q(kind__in=["production", "dev"]), name="kernel_signing_key_kind"
                    ),
                    models.CheckConstraint(
                        condition=Q(until_ms__isnull=True) | Q(until_ms__gte=F("since_ms")),
                        name="kernel_signing_key_forward",
                    ),
                ],
            },
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
