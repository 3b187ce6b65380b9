"""Tables of the times in which a feed left a symbol without ticks, or gave no sign of life."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from quotes.models.symbols import Symbol


class FeedGap(models.Model):
    """A gap; it lasts while ``to_ms`` is null. Only its end is ever written."""

    symbol = models.ForeignKey(Symbol, on_delete=models.PROTECT, related_name="gaps")
    kind = models.CharField(max_length=8)
    from_ms = models.BigIntegerField()
    to_ms = models.BigIntegerField(null=True)
    limit_ms = models.BigIntegerField(help_text="how long it may be without before it is a gap")

    class Meta:
        db_table = "quotes_feed_gap"
        indexes = [
            models.Index(fields=["-from_ms", "-id"], name="quotes_gap_newest"),
            models.Index(fields=["symbol"], condition=Q(to_ms__isnull=True), name="quotes_gap_lasting"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["symbol", "kind", "from_ms"], name="quotes_gap_once"),
            models.CheckConstraint(condition=Q(kind__in=["no_tick", "silent"]), name="quotes_gap_kind"),
            models.CheckConstraint(condition=Q(to_ms__isnull=True) | Q(to_ms__gt=F("from_ms")), name="quotes_gap_span"),
        ]

    def __str__(self) -> str:
        return f"{self.symbol_id} {self.kind} from {self.from_ms}"


class FeedWatch(models.Model):
    """How far the search for gaps has come with a symbol: the newest tick, sign of life and watermark it has seen."""

    symbol = models.OneToOneField(Symbol, on_delete=models.PROTECT, primary_key=True, related_name="+")
    tick_at_ms = models.BigIntegerField()
    sign_ms = models.BigIntegerField()
    watermark_ms = models.BigIntegerField()

    class Meta:
        db_table = "quotes_feed_watch"

    def __str__(self) -> str:
        return f"watch of {self.symbol_id}"
