"""Tables of what operators and the platform changed on a market; all of it is public."""

from __future__ import annotations

from django.db import models

from quotes.models.symbols import Symbol, SymbolRevision


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


class Incident(models.Model):
    """An emergency revision, published with the orders that it refunds and what they would have been."""

    revision = models.OneToOneField(SymbolRevision, on_delete=models.PROTECT, related_name="incident")
    symbol = models.ForeignKey(Symbol, on_delete=models.PROTECT, related_name="incidents")
    at_ms = models.BigIntegerField()
    reason = models.CharField(max_length=200)
    orders = models.IntegerField()
    figures = models.JSONField(help_text="by ledger: orders and stakes that stood to win, to lose and to tie")

    class Meta:
        db_table = "quotes_incident"
        indexes = [models.Index(fields=["-at_ms", "-id"], name="quotes_incident_newest")]

    def __str__(self) -> str:
        return f"{self.symbol} at {self.at_ms}"
