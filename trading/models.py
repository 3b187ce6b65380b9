"""Orders: their terms are frozen at acceptance, their evidence at settlement."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual

from kernel.ids import uuid7
from trading.domain import Direction, OrderState

# What the column holds: a little more than half an hour.
HANDLED_US_MAX = 2**31 - 1

NOTE_LENGTH_MAX = 2_000
TAGS_MAX = 10
TAG_LENGTH_MAX = 24


class Order(models.Model):
    """One order, for ever. Money in minor units, prices scaled by ``price_scale``, instants in Unix milliseconds."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    client_order_id = models.CharField(max_length=64)
    user_id = models.UUIDField()
    wallet_id = models.UUIDField()
    book = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    source = models.CharField(max_length=8)
    token_id = models.UUIDField(null=True, help_text="the API token that placed it")
    asked = models.TextField(help_text="the parsed terms in one normal form, compared on a repeat")

    symbol_id = models.IntegerField()
    symbol = models.CharField(max_length=32)
    direction = models.CharField(max_length=4, choices=[(item.value, item.value) for item in Direction])
    stake = models.BigIntegerField()
    payout_percent = models.SmallIntegerField()
    entry_rule = models.CharField(max_length=32)
    settlement_rule = models.CharField(max_length=32)
    max_tick_age_ms = models.IntegerField()
    revision = models.IntegerField()
    price_scale = models.SmallIntegerField()
    custom = models.BooleanField(default=False, help_text="the symbol's feed was a custom one")
    accepted_at_ms = models.BigIntegerField()
    expires_at_ms = models.BigIntegerField()
    session_closes_ms = models.BigIntegerField(null=True, help_text="end of the session that was held at acceptance")
    expected_price = models.CharField(max_length=26, null=True)
    max_price_drift = models.CharField(max_length=26, null=True)

    # Under next_tick/1: the log stood at this tick at acceptance, and the next one counts if it comes in time.
    entry_after_seq = models.BigIntegerField(null=True)
    entry_after_ms = models.BigIntegerField(null=True)
    entry_until_ms = models.BigIntegerField(null=True)

    entered_at_ms = models.BigIntegerField(null=True)
    open_seq = models.BigIntegerField(null=True)
    open_at_ms = models.BigIntegerField(null=True)
    open_price = models.BigIntegerField(null=True)

    state = models.CharField(max_length=8, choices=[(item.value, item.value) for item in OrderState])
    close_seq = models.BigIntegerField(null=True)
    close_at_ms = models.BigIntegerField(null=True)
    close_price = models.BigIntegerField(null=True)
    close_tick_price = models.BigIntegerField(null=True, help_text="the evidence tick's, where close_price is a mean")
    reason = models.CharField(max_length=16, null=True)
    payout = models.BigIntegerField(null=True)
    settled_at_ms = models.BigIntegerField(null=True)
    balance_after = models.BigIntegerField()
    handled_us = models.IntegerField(null=True, help_text="from the request's arrival to the write, microseconds")

    class Meta:
        db_table = "trading_order"
        indexes = [
            models.Index(fields=["user_id", "-accepted_at_ms", "-id"], name="trading_order_by_user"),
            models.Index(
                fields=["token_id", "-accepted_at_ms"],
                condition=Q(token_id__isnull=False),
                name="trading_order_by_token",
            ),
            # For reports of whole days: orders lie in the table in the order of their acceptance, so the blocks'
            # bounds are enough, and placement has no further index to write.
            BrinIndex(fields=["accepted_at_ms"], autosummarize=True, name="trading_order_by_day"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["wallet_id", "client_order_id"], name="trading_order_client_id"),
            models.CheckConstraint(
                condition=Q(stake__gt=0, payout_percent__gte=0, payout_percent__lte=98, max_tick_age_ms__gt=0)
                & Q(expires_at_ms__gt=F("accepted_at_ms")),
                name="trading_order_terms",
            ),
            models.CheckConstraint(
                condition=Q(open_seq__isnull=True, open_at_ms__isnull=True, open_price__isnull=True)
                # A comparison with a missing value would let the row pass: what must be there is asked for.
                | Q(open_seq__isnull=False, open_at_ms__isnull=False, open_price__isnull=False)
                & Q(open_seq__gt=0, open_at_ms__gt=0, open_price__gt=0, entered_at_ms__isnull=False),
                name="trading_order_opening",
            ),
            # Only next_tick/1 leaves an order without an opening tick, and only while it is open or is refunded.
            models.CheckConstraint(
                condition=Q(
                    entry_rule="next_tick/1",
                    entry_after_seq__isnull=False,
                    entry_after_ms__isnull=False,
                    entry_until_ms__isnull=False,
                )
                & (
                    Q(open_price__isnull=True)
                    | Q(open_seq=F("entry_after_seq") + 1, open_at_ms__lte=F("entry_until_ms"))
                )
                & (Q(open_price__isnull=False) | Q(state__in=["open", "refunded"]))
                & Q(entry_until_ms__lte=F("expires_at_ms"))
                | Q(
                    entry_rule="last_tick/1",
                    open_price__isnull=False,
                    entry_after_seq__isnull=True,
                    entry_after_ms__isnull=True,
                    entry_until_ms__isnull=True,
                ),
                name="trading_order_entry",
            ),
            models.CheckConstraint(
                condition=Q(session_closes_ms__isnull=True) | Q(expires_at_ms__lte=F("session_closes_ms")),
                name="trading_order_in_session",
            ),
            models.CheckConstraint(
                condition=Q(reason__isnull=True)
                | Q(reason__in=["no_tick", "stale_tick", "feed_closed", "no_entry_tick", "revision", "price_moved"]),
                name="trading_order_reasons",
            ),
            # What each state pays, in the database itself: PostgreSQL divides whole numbers as the rule does (I-10).
            models.CheckConstraint(
                condition=Q(state="open", payout__isnull=True, settled_at_ms__isnull=True, reason__isnull=True)
                | Q(
                    state="won",
                    payout__isnull=False,
                    payout=F("stake") + F("stake") * F("payout_percent") / 100,
                    settled_at_ms__isnull=False,
                    reason__isnull=True,
                    close_price__isnull=False,
                )
                | Q(
                    state="lost",
                    payout__isnull=False,
                    payout=0,
                    settled_at_ms__isnull=False,
                    reason__isnull=True,
                    close_price__isnull=False,
                )
                | Q(
                    state="tied",
                    payout__isnull=False,
                    payout=F("stake"),
                    settled_at_ms__isnull=False,
                    reason__isnull=True,
                    open_price__isnull=False,
                    close_price__isnull=False,
                    close_price=F("open_price"),
                )
                | Q(state="refunded", payout__isnull=False, payout=F("stake"), settled_at_ms__isnull=False)
                & Q(reason__isnull=False),
                name="trading_order_states",
            ),
            # A win is a price that moved the client's way, a loss one that moved the other way (rules, section 2).
            models.CheckConstraint(
                condition=~Q(state__in=["won", "lost"])
                | Q(open_price__isnull=False, close_price__isnull=False)
                & (
                    Q(state="won", direction="up", close_price__gt=F("open_price"))
                    | Q(state="won", direction="down", close_price__lt=F("open_price"))
                    | Q(state="lost", direction="up", close_price__lt=F("open_price"))
                    | Q(state="lost", direction="down", close_price__gt=F("open_price"))
                ),
                name="trading_order_direction",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.direction} {self.id}"


class OrderOpen(models.Model):
    """What is due and when; the row goes at settlement, the order stays."""

    order = models.OneToOneField(Order, on_delete=models.PROTECT, primary_key=True, related_name="+")
    symbol_id = models.IntegerField()
    wallet_id = models.UUIDField()
    expires_at_ms = models.BigIntegerField()
    stake = models.BigIntegerField(default=0)
    up = models.BooleanField(default=True)
    exposed = models.BooleanField(default=False, help_text="whether the platform's exposure caps count it")
    entry_after_seq = models.BigIntegerField(null=True, help_text="null once the order has entered")
    entry_until_ms = models.BigIntegerField(null=True)

    class Meta:
        db_table = "trading_order_open"
        indexes = [
            models.Index(
                fields=["symbol_id", "entry_after_seq"],
                condition=Q(entry_after_seq__isnull=False),
                name="trading_order_open_waiting",
            ),
            models.Index(
                fields=["symbol_id", "up"],
                include=["stake"],
                condition=Q(exposed=True),
                name="trading_order_open_exposed",
            ),
            models.Index(fields=["symbol_id", "expires_at_ms", "order"], name="trading_order_open_due"),
            models.Index(fields=["expires_at_ms", "order"], name="trading_order_open_next"),
            models.Index(fields=["wallet_id"], name="trading_order_open_wallet"),
        ]

    def __str__(self) -> str:
        return str(self.order_id)


class RefusalCount(models.Model):
    """How many orders of a client were refused on a UTC day, by code; a tally for reports that nothing judges."""

    pk = models.CompositePrimaryKey("day", "user_id", "book_kind", "code")
    day = models.DateField()
    user_id = models.UUIDField()
    book_kind = models.CharField(max_length=10)
    code = models.CharField(max_length=60)
    count = models.BigIntegerField()

    class Meta:
        db_table = "trading_refusal_count"
        constraints = [models.CheckConstraint(condition=Q(count__gt=0), name="trading_refusal_count_some")]

    def __str__(self) -> str:
        return f"{self.day} {self.book_kind} {self.code}: {self.count}"


class TradingPolicy(models.Model):
    """What a bonus or tournament wallet may trade and when; null means the symbol's own terms.

    Placement ignores a row for an ordinary real or demo wallet: these trade on the same terms for every client.
    """

    wallet_id = models.UUIDField(primary_key=True)
    symbols = ArrayField(models.CharField(max_length=32), null=True)
    min_stake = models.BigIntegerField(null=True)
    max_stake = models.BigIntegerField(null=True)
    tradable_from_ms = models.BigIntegerField(null=True)
    tradable_until_ms = models.BigIntegerField(null=True)

    class Meta:
        db_table = "trading_policy"

    def __str__(self) -> str:
        return str(self.wallet_id)


class Dispute(models.Model):
    """A client's objection to an order: its ticks stay in the log until it is closed. It changes no result."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="disputes")
    opened_at_ms = models.BigIntegerField()
    opened_by_id = models.UUIDField()
    note = models.CharField(max_length=500)
    closed_at_ms = models.BigIntegerField(null=True)
    closed_by_id = models.UUIDField(null=True)
    finding = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        db_table = "trading_dispute"
        constraints = [
            models.UniqueConstraint(
                fields=["order"], condition=Q(closed_at_ms__isnull=True), name="trading_dispute_one_open"
            ),
            models.CheckConstraint(
                condition=Q(closed_at_ms__isnull=True, closed_by_id__isnull=True)
                | Q(closed_at_ms__isnull=False, closed_by_id__isnull=False) & ~Q(finding=""),
                name="trading_dispute_closing",
            ),
        ]

    def __str__(self) -> str:
        return f"dispute over {self.order_id}"


class JournalEntry(models.Model):
    """What a client noted about an order of theirs: nobody else reads it, and no rule and no settlement ever does."""

    order = models.OneToOneField(Order, on_delete=models.PROTECT, primary_key=True, related_name="+")
    user_id = models.UUIDField(help_text="the order's client")
    accepted_at_ms = models.BigIntegerField(help_text="the order's, by which the journal is listed")
    note = models.TextField(blank=True, default="")
    tags = ArrayField(models.CharField(max_length=TAG_LENGTH_MAX), default=list)
    written_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "trading_journal_entry"
        default_permissions = ()
        indexes = [models.Index(fields=["user_id", "-accepted_at_ms", "-order"], name="trading_journal_by_user")]
        constraints = [
            models.CheckConstraint(
                condition=LessThanOrEqual(Length("note"), NOTE_LENGTH_MAX), name="trading_journal_note"
            ),
            models.CheckConstraint(condition=Q(tags__len__lte=TAGS_MAX), name="trading_journal_tags"),
            # An empty entry is none.
            models.CheckConstraint(condition=~Q(note="", tags__len=0), name="trading_journal_some"),
        ]

    def __str__(self) -> str:
        return f"note on {self.order_id}"
