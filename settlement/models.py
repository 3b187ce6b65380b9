"""What settled orders add up to. Money in minor units; every row follows from orders and can be counted again."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

_BOOK_KINDS = [("real", "real"), ("demo", "demo"), ("tournament", "tournament")]


class WindowOrder(models.Model):
    """A won or lost order of the real ledger, for as long as the payout looks at it."""

    order_id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(primary_key=True)
    symbol_id = models.IntegerField()
    user_id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField()
    stake = models.BigIntegerField()
    won = models.BooleanField()
    settled_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "settlement_window_order"
        indexes = [models.Index(fields=["symbol_id", "settled_at_ms"], name="settlement_window_by_symbol")]
        constraints = [models.CheckConstraint(condition=Q(stake__gt=0), name="settlement_window_stake")]

    def __str__(self) -> str:
        return str(self.order_id)


class Daily(models.Model):
    """Settled orders of one UTC day and currency; ties and refunds are neither wins nor losses (D-56).

    ``stakes`` and ``payouts`` are those of won and lost orders, ``returned`` the stakes of tied and refunded ones. So
    ``stakes`` is the turnover, and ``stakes`` less ``payouts`` what the house made.
    """

    day = models.DateField()
    book_kind = models.CharField("ledger", max_length=10, choices=_BOOK_KINDS)
    currency = models.CharField(max_length=3)
    won = models.BigIntegerField()
    lost = models.BigIntegerField()
    tied = models.BigIntegerField()
    refunded = models.BigIntegerField()
    stakes = models.BigIntegerField()
    payouts = models.BigIntegerField()
    returned = models.BigIntegerField()

    class Meta:
        abstract = True


class DailySymbol(Daily):
    """One day of a symbol."""

    symbol_id = models.IntegerField()

    class Meta:
        db_table = "settlement_daily_symbol"
        verbose_name = "day of a symbol"
        verbose_name_plural = "days by symbol"
        constraints = [
            models.UniqueConstraint(
                fields=["day", "book_kind", "symbol_id", "currency"], name="settlement_daily_symbol_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.book_kind} {self.symbol_id}"


class DailyUser(Daily):
    """One day of a user."""

    user_id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField()

    class Meta:
        db_table = "settlement_daily_user"
        verbose_name = "day of a user"
        verbose_name_plural = "days by user"
        constraints = [
            models.UniqueConstraint(
                fields=["day", "book_kind", "user_id", "currency"], name="settlement_daily_user_once"
            )
        ]
        indexes = [models.Index(fields=["user_id", "-day"], name="settlement_daily_of_user")]

    def __str__(self) -> str:
        return f"{self.day} {self.book_kind} {self.user_id}"


class ExecutionDay(models.Model):
    """How orders of one UTC day were executed, for a group of clients of a ledger; made by ``fairness.execution``.

    Orders are those accepted on the day. It is final once all of them are settled.
    """

    pk = models.CompositePrimaryKey("day", "book_kind", "side")
    day = models.DateField()
    book_kind = models.CharField("ledger", max_length=10, choices=_BOOK_KINDS)
    side = models.CharField("group", max_length=8)
    clients = models.IntegerField()
    orders = models.BigIntegerField()
    latencies: ArrayField[list[int], list[int]] = ArrayField(
        models.BigIntegerField(), help_text="orders by bucket of the time they took"
    )
    refusals = models.JSONField(help_text="refused orders by code")
    refunds = models.JSONField(help_text="refunded orders by reason")
    settled = models.BigIntegerField()
    payout_sum = models.BigIntegerField(help_text="percent, over all orders")
    last_entries = models.BigIntegerField(help_text="orders under last_tick/1")
    last_age_ms = models.BigIntegerField(help_text="sum of their ticks' ages at acceptance")
    next_entries = models.BigIntegerField(help_text="orders under next_tick/1 that entered")
    next_wait_ms = models.BigIntegerField(help_text="sum of their waits for a tick")
    final = models.BooleanField()
    counted_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "settlement_execution_day"
        constraints = [
            models.CheckConstraint(condition=Q(side__in=["all", "winners", "losers"]), name="settlement_execution_side")
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.book_kind} {self.side}"


class Counts(models.Model):
    """What a re-settlement found: orders recomputed, with another result, and without their ticks."""

    checked = models.BigIntegerField()
    differences = models.BigIntegerField()
    unavailable = models.BigIntegerField()

    class Meta:
        abstract = True


class Resettlement(Counts):
    """One nightly re-settlement of the orders settled in [from, to); rows never change."""

    at_ms = models.BigIntegerField()
    from_ms = models.BigIntegerField(null=True, help_text="null when there was nothing to check")
    to_ms = models.BigIntegerField()

    class Meta:
        db_table = "settlement_resettlement"
        indexes = [models.Index(fields=["-at_ms", "-id"], name="settlement_resettled_newest")]

    def __str__(self) -> str:
        return f"re-settlement at {self.at_ms}"


class ResettledDay(Counts):
    """What the newest re-settlement found for the orders settled on one UTC day."""

    day = models.DateField(primary_key=True)
    at_ms = models.BigIntegerField()

    class Meta:
        db_table = "settlement_resettled_day"

    def __str__(self) -> str:
        return str(self.day)


class InvariantNight(models.Model):
    """One nightly check of all invariants; rows never change."""

    at_ms = models.BigIntegerField()
    violations = models.JSONField(help_text="by invariant")

    class Meta:
        db_table = "settlement_invariant_night"
        indexes = [models.Index(fields=["-at_ms", "-id"], name="settlement_invariants_newest")]

    def __str__(self) -> str:
        return f"invariants at {self.at_ms}"


class InvariantResult(models.Model):
    """What the last checks of one invariant counted: of each minute over what is new, and each night over all."""

    name = models.CharField(max_length=120, primary_key=True)
    violations = models.BigIntegerField(null=True, help_text="over what was new at the last check of a minute")
    since_ms = models.BigIntegerField(null=True, help_text="from where that check read")
    checked_at_ms = models.BigIntegerField(null=True)
    full_violations = models.BigIntegerField(null=True, help_text="over everything")
    full_checked_at_ms = models.BigIntegerField(null=True)

    class Meta:
        db_table = "settlement_invariant_result"
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(violations__isnull=True, since_ms__isnull=True, checked_at_ms__isnull=True)
                | Q(violations__isnull=False, since_ms__isnull=False, checked_at_ms__isnull=False),
                name="settlement_invariant_lately_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.name
