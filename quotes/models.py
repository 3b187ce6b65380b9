"""Tables of the market. Ticks are append-only; no screen edits a price."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

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
            models.CheckConstraint(
                condition=Q(min_duration_s__gt=0, max_duration_s__gte=F("min_duration_s")),
                name="quotes_symbol_durations",
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
    since_ms = models.BigIntegerField()

    class Meta:
        db_table = "quotes_symbol_revision"
        constraints = [models.UniqueConstraint(fields=["symbol", "number"], name="quotes_revision_number")]

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

    class Meta:
        db_table = "quotes_symbol_head"
        constraints = [models.CheckConstraint(condition=Q(seq__gte=0), name="quotes_head_seq")]

    def __str__(self) -> str:
        return f"head of {self.symbol_id} at {self.seq}"


class Tick(models.Model):
    """An admitted tick; the table is partitioned by UTC day of ``at_ms`` and made by the second migration."""

    pk = models.CompositePrimaryKey("symbol_id", "seq", "at_ms")
    symbol_id = models.IntegerField()
    seq = models.BigIntegerField()
    at_ms = models.BigIntegerField()
    received_at_ms = models.BigIntegerField()
    bid = models.DecimalField(max_digits=40, decimal_places=20, null=True)
    ask = models.DecimalField(max_digits=40, decimal_places=20, null=True)
    price = models.BigIntegerField()
    revision = models.IntegerField()

    class Meta:
        db_table = "quotes_tick"
        managed = False

    def __str__(self) -> str:
        return f"{self.symbol_id}/{self.seq}"


class Candle(models.Model):
    """One interval of a symbol's ticks."""

    pk = models.CompositePrimaryKey("symbol_id", "interval_s", "start_ms")
    symbol_id = models.IntegerField()
    interval_s = models.IntegerField()
    start_ms = models.BigIntegerField()
    open = models.BigIntegerField()
    high = models.BigIntegerField()
    low = models.BigIntegerField()
    close = models.BigIntegerField()
    ticks = models.IntegerField()

    class Meta:
        db_table = "quotes_candle"

    def __str__(self) -> str:
        return f"{self.symbol_id} {self.interval_s} s at {self.start_ms}"


class FeedStatus(models.Model):
    """How a feed's parser and upstream connection are."""

    feed = models.CharField(max_length=16, primary_key=True)
    endpoint = models.CharField(max_length=300, blank=True, default="")
    connected = models.BooleanField(default=False)
    detail = models.CharField(max_length=200, blank=True, default="")
    last_packet_ms = models.BigIntegerField(null=True)
    clock_offset_ms = models.IntegerField(null=True)
    process_heartbeat_ms = models.BigIntegerField(null=True)
    pid = models.IntegerField(null=True)

    class Meta:
        db_table = "quotes_feed_status"
        verbose_name_plural = "feed status"

    def __str__(self) -> str:
        return self.feed


class RefusalCount(models.Model):
    """How many ticks were refused, by feed, symbol and reason; nothing is lost without being counted."""

    pk = models.CompositePrimaryKey("feed", "source", "reason")
    feed = models.CharField(max_length=16)
    source = models.CharField(max_length=64)
    reason = models.CharField(max_length=16)
    count = models.BigIntegerField(default=0)
    last_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "quotes_refusal_count"

    def __str__(self) -> str:
        return f"{self.feed} {self.source} {self.reason}: {self.count}"


class RefusedSample(models.Model):
    """A refused tick, kept as a sample of its reason."""

    feed = models.CharField(max_length=16)
    source = models.CharField(max_length=64)
    reason = models.CharField(max_length=16)
    src_ms = models.BigIntegerField(null=True)
    recv_ms = models.BigIntegerField()
    detail = models.CharField(max_length=300)

    class Meta:
        db_table = "quotes_refused_sample"
        indexes = [models.Index(fields=["feed", "source", "reason", "-recv_ms"], name="quotes_refused_by_reason")]

    def __str__(self) -> str:
        return f"{self.source} {self.reason}"


class PayoutChange(models.Model):
    """One change of a symbol's payout, with the figures it came from."""

    symbol = models.ForeignKey(Symbol, on_delete=models.PROTECT, related_name="payout_changes")
    at_ms = models.BigIntegerField()
    percent = models.SmallIntegerField()
    inputs = models.JSONField(default=dict)

    class Meta:
        db_table = "quotes_payout_change"
        indexes = [models.Index(fields=["symbol", "-at_ms"], name="quotes_payout_by_symbol")]

    def __str__(self) -> str:
        return f"{self.symbol} {self.percent} %"


class HaltChange(models.Model):
    """One act of an operator on a market: from when it took orders again, or no more."""

    symbol = models.ForeignKey(Symbol, on_delete=models.PROTECT, related_name="halt_changes")
    at_ms = models.BigIntegerField()
    state = models.CharField(max_length=10)
    reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        db_table = "quotes_halt_change"
        indexes = [models.Index(fields=["symbol", "-at_ms"], name="quotes_halt_by_symbol")]

    def __str__(self) -> str:
        return f"{self.symbol} {self.state}"
