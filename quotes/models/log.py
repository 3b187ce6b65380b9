"""Tables of what feeds said: ticks, candles, closures, refusals. Ticks are append-only."""

from __future__ import annotations

from django.db import models


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
    """One interval of a symbol's ticks of one revision."""

    pk = models.CompositePrimaryKey("symbol_id", "interval_s", "start_ms", "revision")
    symbol_id = models.IntegerField()
    interval_s = models.IntegerField()
    start_ms = models.BigIntegerField()
    revision = models.IntegerField(default=1, help_text="of the symbol: it says what the integers mean")
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


class FeedDeclaration(models.Model):
    """A feed's own word that a market is closed or open again; it takes effect at ``at_ms``, never in the past."""

    symbol_id = models.IntegerField()
    at_ms = models.BigIntegerField(help_text="the source's time, or just after the watermark if that is later")
    source_ms = models.BigIntegerField(null=True, help_text="the source's time, where it gave one")
    received_at_ms = models.BigIntegerField()
    closed = models.BooleanField()
    reason = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        db_table = "quotes_feed_declaration"
        indexes = [models.Index(fields=["symbol_id", "-at_ms", "-id"], name="quotes_declaration_newest")]

    def __str__(self) -> str:
        return f"{self.symbol_id} {'closed' if self.closed else 'open'} at {self.at_ms}"


class TickArchive(models.Model):
    """One UTC day of the log, kept as a file; the day's partition may go once nobody needs it."""

    day = models.DateField(primary_key=True)
    path = models.CharField(max_length=300, help_text="below the archive's directory")
    rows = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    archived_at_ms = models.BigIntegerField()
    dropped_at_ms = models.BigIntegerField(null=True)

    class Meta:
        db_table = "quotes_tick_archive"

    def __str__(self) -> str:
        return str(self.day)
