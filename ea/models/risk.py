"""The bridge's tables of limits: states of trading, what owners allow, and what was lost."""

from __future__ import annotations

import uuid

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from ea.domain import TradingState
from ea.models.signals import Event, Link
from ea.risk_limits import STOPS


class TradingSwitch(models.Model):
    """A change of the trading state of a place, for ever: everything, an installation, one of its strategies, a symbol.

    The newest one of a place holds. The database takes one about an installation from its owner only: no operator can
    stop a single client's bridge.
    """

    id = models.BigAutoField(primary_key=True)
    scope = models.CharField(max_length=10)
    name = models.CharField(max_length=80, blank=True, default="")
    state = models.CharField(max_length=10, choices=[(item.value, item.value) for item in TradingState])
    reason = models.CharField(max_length=200)
    actor_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ea_trading_switch"
        verbose_name = "state of the bridge"
        verbose_name_plural = "states of the bridge"
        default_permissions = ("view",)
        permissions = [("switch_bridge", "Can set the state of the bridge for everybody or for a symbol")]
        indexes = [models.Index(fields=["scope", "name", "-id"], name="ea_trading_switch_newest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(scope="platform", name="") | Q(scope__in=["link", "strategy", "symbol"]) & ~Q(name=""),
                name="ea_trading_switch_place",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[item.value for item in TradingState]), name="ea_trading_switch_state"
            ),
            models.CheckConstraint(condition=~Q(reason=""), name="ea_trading_switch_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.name} {self.state}"


class RiskLimits(models.Model):
    """A version of an installation's risk limits, for ever; the newest holds. Without an installation, the default."""

    id = models.BigAutoField(primary_key=True)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, null=True, related_name="+", db_index=False)
    version = models.IntegerField(help_text="gap-free for each installation")
    document = models.JSONField(help_text="see ea.risk_limits.Limits")
    actor_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ea_risk_limits"
        verbose_name = "version of risk limits"
        verbose_name_plural = "versions of risk limits"
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["link", "version"], nulls_distinct=False, name="ea_risk_limits_version")
        ]

    def __str__(self) -> str:
        return f"{self.link_id or 'default'} {self.version}"


class RiskStop(models.Model):
    """A stop that was tripped, or its reset by the owner, for ever; the newest of an installation's wallet holds."""

    id = models.BigAutoField(primary_key=True)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="+", db_index=False)
    wallet_id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField()
    stop = models.CharField(max_length=12, choices=[(name, name) for name in STOPS])
    act = models.CharField(max_length=8)
    reason = models.CharField(max_length=200)
    lost = models.BigIntegerField(null=True, help_text="what was lost when it was tripped, in minor units")
    limit = models.BigIntegerField(null=True, help_text="what was allowed then")
    event = models.ForeignKey(
        Event, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, help_text="the signal that met it"
    )
    actor_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ea_risk_stop"
        default_permissions = ()
        indexes = [models.Index(fields=["link", "wallet_id", "stop", "-id"], name="ea_risk_stop_newest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(act="tripped", lost__isnull=False, limit__isnull=False, event__isnull=False)
                | Q(act="reset", actor_id__isnull=False, lost__isnull=True, limit__isnull=True, event__isnull=True),
                name="ea_risk_stop_act",
            ),
            models.CheckConstraint(condition=Q(stop__in=list(STOPS)) & ~Q(reason=""), name="ea_risk_stop_says_why"),
        ]

    def __str__(self) -> str:
        return f"{self.stop} {self.act}"


class ResultTally(models.Model):
    """What the results of an installation on a wallet have come to: a row for each result, and for each reset.

    Money in minor units; see ``ea.risk_rules.Tally`` and ``Streak``. The streak is that of the row's strategy.
    """

    id = models.BigAutoField(primary_key=True)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    wallet_id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField()
    no = models.BigIntegerField(help_text="gap-free for each installation and wallet")
    event = models.OneToOneField(
        Event, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False, help_text="null for a reset"
    )
    strategy = models.CharField(max_length=40, null=True, help_text="null for a reset")
    at_ms = models.BigIntegerField(help_text="of the settlement, or of the row before where that is later")
    net = models.BigIntegerField()
    total = models.BigIntegerField()
    peak = models.BigIntegerField()
    fall = models.BigIntegerField()
    losses = models.IntegerField()
    lost_stake = models.BigIntegerField()
    lost_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ea_result_tally"
        default_permissions = ()
        indexes = [
            models.Index(fields=["link", "wallet_id", "strategy", "-no"], name="ea_result_tally_strategy"),
            models.Index(fields=["link", "wallet_id", "at_ms", "no"], name="ea_result_tally_at"),
            BrinIndex(fields=["at_ms"], autosummarize=True, name="ea_result_tally_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["link", "wallet_id", "no"], name="ea_result_tally_no"),
            models.CheckConstraint(
                condition=Q(event__isnull=False, strategy__isnull=False)
                | Q(event__isnull=True, strategy__isnull=True, net=0),
                name="ea_result_tally_of_a_result",
            ),
            models.CheckConstraint(
                condition=Q(peak__gte=F("total"), fall__gte=F("peak") - F("total"), no__gt=0),
                name="ea_result_tally_figures",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.no}: {self.total}"


class OrderBucket(models.Model):
    """When a key's bucket of orders is full again; kept where limits of orders per minute ask for it."""

    kid = models.CharField(max_length=32, primary_key=True)
    full_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ea_order_bucket"
        default_permissions = ()

    def __str__(self) -> str:
        return self.kid
