"""The journal: notes and tags of clients on their own orders."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
import django.db.models.lookups
from django.db import migrations, models

# What Django has no words for: a tag is never empty and never missing.
TAGS = """
ALTER TABLE trading_journal_entry ADD CONSTRAINT trading_journal_tag
CHECK ('' <> ALL (tags) AND array_position(tags, NULL) IS NULL)"""
NO_TAGS = "ALTER TABLE trading_journal_entry DROP CONSTRAINT trading_journal_tag"


class Migration(migrations.Migration):
    dependencies = [("trading", "0007_frozen_by_condition")]

    operations = [
        migrations.CreateModel(
            name="JournalEntry",
            fields=[
                (
                    "order",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="+",
                        serialize=False,
                        to="trading.order",
                    ),
                ),
                ("user_id", models.UUIDField(help_text="the order's client")),
                ("accepted_at_ms", models.BigIntegerField(help_text="the order's, by which the journal is listed")),
                ("note", models.TextField(blank=True, default="")),
                (
                    "tags",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=24), default=list, size=None
                    ),
                ),
                ("written_at_ms", models.BigIntegerField()),
            ],
            options={
                "db_table": "trading_journal_entry",
                "default_permissions": (),
                "indexes": [
                    models.Index(fields=["user_id", "-accepted_at_ms", "-order"], name="trading_journal_by_user")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=django.db.models.lookups.LessThanOrEqual(
                            django.db.models.functions.text.Length("note"), 2000
                        ),
                        name="trading_journal_note",
                    ),
                    models.CheckConstraint(condition=models.Q(("tags__len__lte", 10)), name="trading_journal_tags"),
                    models.CheckConstraint(
                        condition=models.Q(("note", ""), ("tags__len", 0), _negated=True), name="trading_journal_some"
                    ),
                ],
            },
        ),
        migrations.RunSQL(TAGS, NO_TAGS),
    ]
