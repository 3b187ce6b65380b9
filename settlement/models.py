"""What settled orders add up to. Money in minor units; every row follows from orders and can be counted again."""

from __future__ import annotations

import uuid

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
