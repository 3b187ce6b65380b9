"""Tables of what can be traded, and on which terms. No screen edits a price."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from quotes.models.calendars import MarketCalendar

PAYOUT_LEAST, PAYOUT_MOST = 50, 98


class Symbol(models.Model):
    """What can be traded, on which terms. Money in minor units, durations in seconds."""

    class PriceSource(models.TextChoices):
        """What of the feed is the price."""

        MID = "mid", "middle of bid and ask"
        LAST = "last", "last trade"

    class OperatorState(models.TextChoices):
        """What an operator has set; it binds new orders only."""

        OPEN = "open", "open"
        CLOSE_ONLY = "close_only", "no new orders"
        HALTED = "halted", "halted"

    id = models.AutoField(primary_key=True)
    code = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=100)
    asset_class = models.CharField(max_length=16, default="other")
    feed = models.CharField(max_length=16)
    source = models.CharField(max_length=64, help_text="the symbol's name at the feed")
    price_scale = models.SmallIntegerField(default=5, help_text="decimals of a price")
    price_source = models.CharField(max_length=4, choices=PriceSource.choices, default=PriceSource.MID)
    revision = models.IntegerField(default=1)
    max_tick_age_ms = models.IntegerField(default=3_000)
    payout_percent = models.SmallIntegerField(default=85)
    payout_fixed = models.SmallIntegerField(default=85)
    payout_min = models.SmallIntegerField(default=70)
    payout_max = models.SmallIntegerField(default=95)
    min_stake_minor = models.BigIntegerField(default=100)
    max_stake_minor = models.BigIntegerField(default=500_000)
    min_duration_s = models.IntegerField(default=5)
    max_duration_s = models.IntegerField(default=86_400)
    entry_rule = models.CharField(max_length=32, default="last_tick/1")
    settlement_rule = models.CharField(max_length=32, default="last_tick/1")
    offered_real = models.BooleanField(default=True)
    offered_demo = models.BooleanField(default=True)
    operator_state = models.CharField(max_length=10, choices=OperatorState.choices, default=OperatorState.OPEN)
    state_reason = models.CharField(max_length=200, blank=True, default="")
    position = models.SmallIntegerField(default=100, help_text="order in lists")
    calendar = models.ForeignKey(
        MarketCalendar,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="symbols",
        help_text="trading hours; none means round the clock",
    )
    purchase_deadline_s = models.SmallIntegerField(
        default=10, help_text="orders for a clock time are refused in the last seconds before it"
    )
    exposure_cap_minor = models.BigIntegerField(
        null=True, blank=True, help_text="most open stakes of the real ledger in one direction; none means no cap"
    )
    custom = models.BooleanField(
        default=False, editable=False, help_text="prices come from a generator, a script or an overridden endpoint"
    )
    custom_declared = models.BooleanField(default=False, help_text="terms and receipts tell clients: feed custom")
    pending_revision = models.IntegerField(
        null=True, editable=False, help_text="number of the revision that waits for the last open order"
    )

    class Meta:
        db_table = "quotes_symbol"
        ordering = ["position", "code"]
        constraints = [
            models.CheckConstraint(condition=Q(code__regex=r"^[A-Z0-9._-]{1,32}$"), name="quotes_symbol_code"),
            models.CheckConstraint(condition=Q(price_scale__gte=0, price_scale__lte=10), name="quotes_symbol_scale"),
            models.CheckConstraint(condition=Q(price_source__in=["mid", "last"]), name="quotes_symbol_price_source"),
            models.CheckConstraint(condition=Q(max_tick_age_ms__gt=0), name="quotes_symbol_tick_age"),
            models.CheckConstraint(
                condition=Q(payout_min__gte=PAYOUT_LEAST, payout_max__lte=PAYOUT_MOST)
                & Q(payout_fixed__gte=F("payout_min"), payout_fixed__lte=F("payout_max"))
                & Q(payout_percent__gte=F("payout_min"), payout_percent__lte=F("payout_max")),
                name="quotes_symbol_payouts",
            ),
            models.CheckConstraint(
                condition=Q(min_stake_minor__gt=0, max_stake_minor__gte=F("min_stake_minor")),
                name="quotes_symbol_stakes",
            ),
            # A month at most: own limits look back so far for orders that were settled lately.
            models.CheckConstraint(
                condition=Q(min_duration_s__gt=0, max_duration_s__gte=F("min_duration_s"))
                & Q(max_duration_s__lte=31 * 86_400),
                name="quotes_symbol_durations",
            ),
            models.CheckConstraint(
                condition=Q(entry_rule__in=["last_tick/1", "next_tick/1"])
                & Q(settlement_rule__in=["last_tick/1", "trimmed_mean_10s/1"]),
                name="quotes_symbol_rules",
            ),
            models.CheckConstraint(
                condition=Q(purchase_deadline_s__gte=0)
                & (Q(exposure_cap_minor__isnull=True) | Q(exposure_cap_minor__gt=0)),
                name="quotes_symbol_deadline_and_cap",
            ),
            models.CheckConstraint(
                condition=Q(operator_state="open", state_reason="")
                | Q(operator_state__in=["halted", "close_only"]) & ~Q(state_reason=""),
                name="quotes_symbol_halt_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return self.code


class SymbolRevision(models.Model):
    """What a symbol's price meant from some instant on; ticks carry the revision's number."""

    symbol = models.ForeignKey(Symbol, on_delete=models.PROTECT, related_name="revisions")
    number = models.IntegerField()
    feed = models.CharField(max_length=16)
    source = models.CharField(max_length=64)
    endpoint = models.CharField(max_length=300, blank=True, default="")
    price_scale = models.SmallIntegerField()
    price_source = models.CharField(max_length=4)
    since_ms = models.BigIntegerField(null=True, help_text="null while it waits for the last open order")
    fence_xid = models.BigIntegerField(null=True, help_text="transactions before this one may still place orders")
    emergency = models.BooleanField(default=False, help_text="took effect at once; the orders open then are refunded")
    reason = models.CharField(max_length=200, blank=True, default="")
    requested_by_id = models.UUIDField(null=True)
    approved_by_id = models.UUIDField(null=True)
    requested_at_ms = models.BigIntegerField(null=True)
    cancelled_at_ms = models.BigIntegerField(null=True)
    cancelled_by_id = models.UUIDField(null=True)

    class Meta:
        db_table = "quotes_symbol_revision"
        permissions = [("approve_emergency_revision", "Can approve an emergency revision that somebody else asked for")]
        constraints = [
            models.UniqueConstraint(fields=["symbol", "number"], name="quotes_revision_number"),
            models.UniqueConstraint(
                fields=["symbol"],
                condition=Q(since_ms__isnull=True, cancelled_at_ms__isnull=True),
                name="quotes_revision_one_waits",
            ),
            models.CheckConstraint(
                condition=Q(since_ms__isnull=True) | Q(cancelled_at_ms__isnull=True),
                name="quotes_revision_cancelled_is_never_in_force",
            ),
            models.CheckConstraint(
                condition=Q(emergency=False)
                | Q(since_ms__isnull=True)
                | Q(requested_by_id__isnull=False, approved_by_id__isnull=False)
                & ~Q(approved_by_id=F("requested_by_id"))
                & ~Q(reason=""),
                name="quotes_revision_emergency_two_persons",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.symbol} revision {self.number}"


class SymbolHead(models.Model):
    """Where a symbol's log stands; its lock orders everything that moves the log or the watermark."""

    symbol = models.OneToOneField(Symbol, on_delete=models.PROTECT, primary_key=True, related_name="head")
    seq = models.BigIntegerField(default=0)
    tick_at_ms = models.BigIntegerField(null=True)
    tick_price = models.BigIntegerField(null=True)
    tick_recv_ms = models.BigIntegerField(null=True)
    watermark_ms = models.BigIntegerField(default=0)
    candidate_price = models.BigIntegerField(null=True)
    candidate_recv_ms = models.BigIntegerField(null=True)
    candidate_packet = models.BigIntegerField(null=True)
    heartbeat_ms = models.BigIntegerField(null=True)
    clock_sane = models.BooleanField(default=True, help_text="whether the source's clock is near ours")
    closed_by_feed = models.CharField(max_length=200, null=True, help_text="the feed's own words, while it is closed")

    class Meta:
        db_table = "quotes_symbol_head"
        constraints = [models.CheckConstraint(condition=Q(seq__gte=0), name="quotes_head_seq")]

    def __str__(self) -> str:
        return f"head of {self.symbol_id} at {self.seq}"
