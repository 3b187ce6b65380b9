"""How long each order took from its arrival to its write, frozen with it; and a tally of what was refused."""

import re
from importlib import import_module

import django.contrib.postgres.indexes
import django.db.models.fields.composite
from django.db import migrations, models

_BEFORE = import_module("trading.migrations.0004_rules_of_the_database").FORWARD
# The function as it is in force, which freezes the new column, too.
FROZEN = re.search(r"CREATE OR REPLACE FUNCTION trading_order_frozen\(\).*?END \$\$;", _BEFORE, re.DOTALL).group()
FREEZES_IT = FROZEN.replace("NEW.entry_until_ms)", "NEW.entry_until_ms, NEW.handled_us)").replace(
    "OLD.entry_until_ms)", "OLD.entry_until_ms, OLD.handled_us)"
)
assert FREEZES_IT.count("handled_us") == 2


class Migration(migrations.Migration):
    dependencies = [("trading", "0005_due_by_expiry")]

    operations = [
        migrations.AddField(
            model_name="order",
            name="handled_us",
            field=models.IntegerField(help_text="from the request's arrival to the write, microseconds", null=True),
        ),
        migrations.RunSQL(FREEZES_IT, FROZEN),
        migrations.AddIndex(
            model_name="order",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["accepted_at_ms"], name="trading_order_by_day"
            ),
        ),
        migrations.CreateModel(
            name="RefusalCount",
            fields=[
                (
                    "pk",
                    django.db.models.fields.composite.CompositePrimaryKey(
                        "day",
                        "user_id",
                        "book_kind",
                        "code",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("user_id", models.UUIDField()),
                ("book_kind", models.CharField(max_length=10)),
                ("code", models.CharField(max_length=60)),
                ("count", models.BigIntegerField()),
            ],
            options={
                "db_table": "trading_refusal_count",
                "constraints": [
                    models.CheckConstraint(condition=models.Q(count__gt=0), name="trading_refusal_count_some")
                ],
            },
        ),
    ]
