"""Hooks of TradingView: a key that signs nothing, and an address that nobody can read back."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

FORWARD = """
ALTER TABLE ea_hook ADD CONSTRAINT ea_hook_digests CHECK (
    octet_length(token_sha256) = 32 AND (secret_sha256 IS NULL OR octet_length(secret_sha256) = 32));
ALTER TABLE ea_hook ADD CONSTRAINT ea_hook_has_key_of_hook CHECK (key_id LIKE 'hook\\_%');

-- Whose alerts come to an address is settled when it is made; it ends with its key.
CREATE TRIGGER ea_hook_append_only BEFORE UPDATE OR DELETE ON ea_hook
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_hook_no_truncate BEFORE TRUNCATE ON ea_hook FOR EACH STATEMENT EXECUTE FUNCTION append_only();

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON ea_hook FROM fairstrike;
    END IF;
END $$;
"""
BACKWARD = """
DROP TRIGGER ea_hook_no_truncate ON ea_hook;
DROP TRIGGER ea_hook_append_only ON ea_hook;
ALTER TABLE ea_hook DROP CONSTRAINT ea_hook_has_key_of_hook;
ALTER TABLE ea_hook DROP CONSTRAINT ea_hook_digests;
"""


class Migration(migrations.Migration):
    dependencies = [("ea", "0005_owner")]

    operations = [
        migrations.CreateModel(
            name="Hook",
            fields=[
                (
                    "key",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="hook",
                        serialize=False,
                        to="ea.key",
                    ),
                ),
                ("name", models.CharField(blank=True, default="", max_length=40)),
                ("token_sha256", models.BinaryField(unique=True)),
                (
                    "secret_sha256",
                    models.BinaryField(
                        help_text="of what each alert must say besides; none where it need not", null=True
                    ),
                ),
            ],
            options={
                "db_table": "ea_hook",
                "permissions": (("revoke_hook", "Can revoke hooks"),),
                "default_permissions": ("view",),
            },
        ),
        migrations.AddConstraint(
            model_name="key",
            constraint=models.CheckConstraint(
                condition=Q(kid__startswith="hook_", secret=b"") | ~Q(kid__startswith="hook_") & ~Q(secret=b""),
                name="ea_key_of_hook_signs_nothing",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
