"""The bridge's tables: installations and their keys, the log of events, and what became of each."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from ea.domain import State, TradingState
from ea.risk_limits import STOPS
from ea.tradingview import HOOK_PREFIX
from kernel.ids import uuid7

# States in which an executor has something to do.
DUE = (State.RECEIVED.value, State.SUBMITTED.value)


class Link(models.Model):
    """A registered installation: whose it is, and the account of a trade server that its terminal is logged in to."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    account = models.CharField(max_length=40)
    server = models.CharField(max_length=64)
    ledger = models.CharField(max_length=10, help_text="where its orders go unless a signal says otherwise")
    wallet_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(
        null=True, help_text="the tournament's wallet, where the ledger is one"
    )
    prefix = models.CharField(max_length=8, blank=True, default="", help_text="what its broker puts before symbols")
    suffix = models.CharField(max_length=8, blank=True, default="", help_text="what its broker puts behind symbols")
    made_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ea_link"
        verbose_name = "installation"
        constraints = [
            models.UniqueConstraint(fields=["user", "account", "server"], name="ea_link_once"),
            models.CheckConstraint(condition=Q(ledger__in=["real", "demo", "tournament"]), name="ea_link_ledger"),
            models.CheckConstraint(
                condition=Q(ledger="tournament", wallet_id__isnull=False) | ~Q(ledger="tournament"),
                name="ea_link_tournament_has_wallet",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} at {self.server}"


class Key(models.Model):
    """What an installation signs with. The secret is kept encrypted, under a key that the database does not hold."""

    kid = models.CharField(max_length=32, primary_key=True)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="keys")
    secret = models.BinaryField()
    scopes = ArrayField(models.CharField(max_length=10))
    ledgers = ArrayField(models.CharField(max_length=10), help_text="where its signals may trade")
    networks = ArrayField(models.CharField(max_length=49), default=list, help_text="none: from everywhere")
    made_at_ms = models.BigIntegerField()
    valid_from_ms = models.BigIntegerField()
    valid_until_ms = models.BigIntegerField(null=True)
    revoked_at_ms = models.BigIntegerField(null=True)

    class Meta:
        db_table = "ea_key"
        constraints = [
            models.CheckConstraint(condition=Q(kid__regex="^[A-Za-z0-9_-]{1,32}$"), name="ea_key_kid"),
            models.CheckConstraint(
                condition=Q(scopes__contained_by=["source", "executor"]) & Q(scopes__len__gt=0), name="ea_key_scopes"
            ),
            models.CheckConstraint(
                condition=Q(ledgers__contained_by=["real", "demo", "tournament"]) & Q(ledgers__len__gt=0),
                name="ea_key_ledgers",
            ),
            models.CheckConstraint(
                condition=Q(valid_until_ms__isnull=True) | Q(valid_until_ms__gt=F("valid_from_ms")),
                name="ea_key_validity",
            ),
            # What a key's id says, its secret says too: how its events are read must never be in doubt.
            models.CheckConstraint(
                condition=Q(kid__startswith=HOOK_PREFIX, secret=b"") | ~Q(kid__startswith=HOOK_PREFIX) & ~Q(secret=b""),
                name="ea_key_of_hook_signs_nothing",
            ),
        ]

    def __str__(self) -> str:
        return self.kid


class Hook(models.Model):
    """An address that TradingView posts alerts to, with the key whose rights and end it has; neither secret is kept.

    A digest is enough: both are random and long, so nobody finds them by trying.
    """

    key = models.OneToOneField(Key, on_delete=models.PROTECT, primary_key=True, related_name="hook")
    name = models.CharField(max_length=40, blank=True, default="")
    token_sha256 = models.BinaryField(unique=True)
    secret_sha256 = models.BinaryField(
        null=True, help_text="of what each alert must say besides; none where it need not"
    )

    class Meta:
        db_table = "ea_hook"
        default_permissions = ("view",)
        permissions = (("revoke_hook", "Can revoke hooks"),)

    def __str__(self) -> str:
        return self.name or self.key_id


class Event(models.Model):
    """One signal as it was received, for ever. Instants in Unix microseconds by the server's clock.

    ``chain`` names the process that wrote it; within a chain, ``prev_sha256`` covers every event in front of this one:
    it is the SHA-256 of the event before's own ``prev_sha256`` and ``sha256``.
    """

    id = models.BigAutoField(primary_key=True)
    event_id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(unique=True)
    # The key of the log makes no look-up in another table: installations and keys are never deleted.
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    kid = models.CharField(max_length=32)
    sid = models.CharField(max_length=40)
    seq = models.BigIntegerField()
    source = models.CharField(max_length=11)
    src_ticket = models.CharField(max_length=32, null=True)
    action = models.CharField(max_length=10)
    raw = models.BinaryField()
    sha256 = models.BinaryField()
    chain: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField()
    chain_no = models.BigIntegerField()
    prev_sha256 = models.BinaryField()
    offset_ms = models.IntegerField(help_text="from the client's clock to ours, as known at reception")
    rtt_us = models.BigIntegerField(help_text="twice the uncertainty of that offset; 0 where it is not known")
    recv_us = models.BigIntegerField()
    log_us = models.BigIntegerField()

    class Meta:
        db_table = "ea_event"
        default_permissions = ()
        indexes = [
            # Events lie in the table in the order of their logging, so the blocks' bounds are enough.
            BrinIndex(fields=["log_us"], autosummarize=True, name="ea_event_by_time"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["kid", "sid", "seq"], name="ea_event_seq"),
            models.UniqueConstraint(
                fields=["link", "source", "src_ticket", "action"],
                condition=Q(src_ticket__isnull=False),
                name="ea_event_ticket",
            ),
            models.UniqueConstraint(fields=["chain", "chain_no"], name="ea_event_chain"),
            models.CheckConstraint(condition=Q(seq__gt=0, chain_no__gt=0), name="ea_event_numbered"),
        ]

    def __str__(self) -> str:
        return str(self.event_id)


class EaOrder(models.Model):
    """What became of an event: one row for each, from its reception on."""

    event = models.OneToOneField(Event, on_delete=models.PROTECT, primary_key=True, related_name="order")
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    state = models.CharField(max_length=10, choices=[(item.value, item.value) for item in State])
    step = models.SmallIntegerField(default=0, help_text="how many transitions it has made")
    code = models.CharField(max_length=60, null=True)
    strategy = models.CharField(max_length=40, blank=True, default="")
    symbol = models.CharField(max_length=32, null=True, help_text="ours, once it is known")
    # Written when it is submitted, and what a repetition after a crash submits again.
    ticket = models.TextField(null=True)
    wallet_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    client_order_id = models.CharField(max_length=64, null=True)
    not_after_ms = models.BigIntegerField(null=True)
    order_id: models.UUIDField[uuid.UUID | None, uuid.UUID | None] = models.UUIDField(null=True)
    warnings = ArrayField(models.CharField(max_length=60), null=True, help_text="soft limits that it passed")

    class Meta:
        db_table = "ea_order"
        verbose_name = "signal's order"
        default_permissions = ()
        indexes = [
            models.Index(fields=["event"], condition=Q(state__in=DUE), name="ea_order_due"),
            models.Index(fields=["link", "-event"], name="ea_order_by_link"),
            # What is on its way counts as open for risk limits.
            models.Index(fields=["wallet_id"], condition=Q(state="submitted"), name="ea_order_under_way"),
        ]
        constraints = [
            # I-34: an order of ours belongs to one event, an event has one row here.
            models.UniqueConstraint(fields=["order_id"], condition=Q(order_id__isnull=False), name="ea_order_once"),
            models.UniqueConstraint(
                fields=["wallet_id", "client_order_id"],
                condition=Q(client_order_id__isnull=False),
                name="ea_order_client_id",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["accepted", "open", "settled"]) | Q(order_id__isnull=False),
                name="ea_order_placed",
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["denied", "expired", "rejected"]) | Q(code__isnull=False),
                name="ea_order_refusals_have_codes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event_id} {self.state}"


class Transition(models.Model):
    """One step of an order, for ever. The event itself is the step to ``received``."""

    id = models.BigAutoField(primary_key=True)
    order = models.ForeignKey(EaOrder, on_delete=models.PROTECT, related_name="transitions", db_index=False)
    step = models.SmallIntegerField()
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    no = models.BigIntegerField(help_text="gap-free for each installation, in the order of commits")
    from_state = models.CharField(max_length=10)
    state = models.CharField(max_length=10)
    actor = models.CharField(max_length=20)
    code = models.CharField(max_length=60, null=True)
    at_us = models.BigIntegerField()
    frame = models.TextField(null=True, help_text="what the client is told, as it is sent")
    # The row can be made again from the steps alone: that is what a replay compares it with.
    given = models.JSONField(null=True, help_text="columns of the order's row that get their value with this step")

    class Meta:
        db_table = "ea_order_event"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["order", "step"], name="ea_order_event_step"),
            models.UniqueConstraint(fields=["link", "no"], name="ea_order_event_no"),
        ]

    def __str__(self) -> str:
        return f"{self.order_id} {self.from_state} to {self.state}"


class Counter(models.Model):
    """The number of an installation's newest transition; the last lock that any transaction of the bridge takes."""

    link = models.OneToOneField(Link, on_delete=models.PROTECT, primary_key=True, related_name="+")
    no = models.BigIntegerField(default=0)

    class Meta:
        db_table = "ea_counter"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.no)


class Latency(models.Model):
    """Where the time of an event went, for ever. Microseconds by the server's clock, but for the client's two."""

    event = models.OneToOneField(Event, on_delete=models.PROTECT, primary_key=True, related_name="+")
    deal_ms = models.BigIntegerField(help_text="t0, the client's clock")
    signed_ms = models.BigIntegerField(help_text="t1, the client's clock")
    offset_ms = models.IntegerField()
    rtt_us = models.BigIntegerField()
    recv_us = models.BigIntegerField(help_text="t2")
    log_us = models.BigIntegerField(help_text="t3")
    decided_us = models.BigIntegerField(help_text="t4")
    submitted_us = models.BigIntegerField(null=True, help_text="t5")
    answered_us = models.BigIntegerField(null=True, help_text="t6")
    opened_ms = models.BigIntegerField(null=True, help_text="t7, the opening tick's own time")
    ref_price = models.CharField(max_length=26, null=True)
    open_price = models.CharField(max_length=26, null=True)
    min_payout = models.CharField(max_length=26, null=True)
    payout_percent = models.SmallIntegerField(null=True)

    class Meta:
        db_table = "ea_latency"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.event_id)


class SymbolAlias(models.Model):
    """What a broker calls one of our symbols; without an installation, what every broker does."""

    link = models.ForeignKey(Link, on_delete=models.CASCADE, null=True, related_name="+")
    raw = models.CharField(max_length=32)
    symbol = models.CharField(max_length=32)

    class Meta:
        db_table = "ea_symbol_alias"
        constraints = [
            models.UniqueConstraint(fields=["link", "raw"], nulls_distinct=False, name="ea_symbol_alias_once")
        ]

    def __str__(self) -> str:
        return f"{self.raw} is {self.symbol}"


class UnknownSymbol(models.Model):
    """A name that no rule of mapping knows, with how often it came: somebody should name it."""

    link = models.ForeignKey(Link, on_delete=models.CASCADE, related_name="+")
    raw = models.CharField(max_length=32)
    first_at_ms = models.BigIntegerField()
    last_at_ms = models.BigIntegerField()
    times = models.BigIntegerField()

    class Meta:
        db_table = "ea_symbol_unknown"
        constraints = [models.UniqueConstraint(fields=["link", "raw"], name="ea_symbol_unknown_once")]

    def __str__(self) -> str:
        return self.raw


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


class Alert(models.Model):
    """Something about a key or an installation that its owner should know, for ever."""

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    kind = models.CharField(max_length=20)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    kid = models.CharField(max_length=32)
    address = models.CharField(max_length=45, blank=True, default="")
    detail = models.CharField(max_length=200, blank=True, default="")
    at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ea_alert"
        verbose_name = "alert"
        indexes = [models.Index(fields=["kid", "kind", "address"], name="ea_alert_by_key")]

    def __str__(self) -> str:
        return f"{self.kind} {self.kid}"
