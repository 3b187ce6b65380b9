"""Statistics of settled orders; those that were settled before are counted through the queue like all others."""

from django.db import migrations, models
from django.db.models import Q

DAILY = [
    ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
    ("day", models.DateField()),
    (
        "book_kind",
        models.CharField(
            choices=[("real", "real"), ("demo", "demo"), ("tournament", "tournament")],
            max_length=10,
            verbose_name="ledger",
        ),
    ),
    ("currency", models.CharField(max_length=3)),
    ("won", models.BigIntegerField()),
    ("lost", models.BigIntegerField()),
    ("tied", models.BigIntegerField()),
    ("refunded", models.BigIntegerField()),
    ("stakes", models.BigIntegerField()),
    ("payouts", models.BigIntegerField()),
    ("returned", models.BigIntegerField()),
]

SETTLED_BEFORE = """
INSERT INTO kernel_fact_batch (subscriber, fact, "references", at_ms, attempts, retry_at_ms, failed_reason)
SELECT 'statistics', 'order.settled', array_agg(id ORDER BY id), max(settled_at_ms), 0, 0, ''
FROM (SELECT id, settled_at_ms, row_number() OVER (ORDER BY id) / 1000 AS batch
      FROM trading_order WHERE state <> 'open') AS settled
GROUP BY batch ORDER BY batch;
"""
FORGET = "DELETE FROM kernel_fact_batch WHERE subscriber = 'statistics';"


class Migration(migrations.Migration):
    initial = True

    dependencies = [("kernel", "0002_facts_and_jobs"), ("trading", "0002_rules_of_the_database")]

    operations = [
        migrations.CreateModel(
            name="WindowOrder",
            fields=[
                ("order_id", models.UUIDField(primary_key=True, serialize=False)),
                ("symbol_id", models.IntegerField()),
                ("user_id", models.UUIDField()),
                ("stake", models.BigIntegerField()),
                ("won", models.BooleanField()),
                ("settled_at_ms", models.BigIntegerField()),
            ],
            options={
                "db_table": "settlement_window_order",
                "indexes": [models.Index(fields=["symbol_id", "settled_at_ms"], name="settlement_window_by_symbol")],
                "constraints": [models.CheckConstraint(condition=Q(stake__gt=0), name="settlement_window_stake")],
            },
        ),
        migrations.CreateModel(
            name="DailySymbol",
            fields=[*DAILY, ("symbol_id", models.IntegerField())],
            options={
                "db_table": "settlement_daily_symbol",
                "verbose_name": "day of a symbol",
                "verbose_name_plural": "days by symbol",
                "constraints": [
                    models.UniqueConstraint(
                        fields=["day", "book_kind", "symbol_id", "currency"], name="settlement_daily_symbol_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DailyUser",
            fields=[*DAILY, ("user_id", models.UUIDField())],
            options={
                "db_table": "settlement_daily_user",
                "verbose_name": "day of a user",
                "verbose_name_plural": "days by user",
                "indexes": [models.Index(fields=["user_id", "-day"], name="settlement_daily_of_user")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=["day", "book_kind", "user_id", "currency"], name="settlement_daily_user_once"
                    )
                ],
            },
        ),
        migrations.RunSQL(SETTLED_BEFORE, FORGET),
    ]
