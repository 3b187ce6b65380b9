"""The bridge's tables: installations and their keys, the log of events, and what became of each."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q

from ea.domain import State
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

    # That the event is there, a trigger asks once for each statement: a key would ask, and lock, for each row.
    event = models.OneToOneField(
        Event, on_delete=models.PROTECT, primary_key=True, related_name="order", db_constraint=False
    )
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
        verbose_name = "signal"
        default_permissions = ("view",)
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
    # A trigger looks for the orders of a statement's steps at once; none is ever deleted.
    order = models.ForeignKey(
        EaOrder, on_delete=models.PROTECT, related_name="transitions", db_constraint=False, db_index=False
    )
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


class Version(models.Model):
    """One row, which says when anything changed that signals are judged by: the transaction that did it."""

    id = models.SmallIntegerField(primary_key=True)
    no = models.BigIntegerField()

    class Meta:
        db_table = "ea_version"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.no)


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

    event = models.OneToOneField(
        Event, on_delete=models.PROTECT, primary_key=True, related_name="+", db_constraint=False
    )
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
    # What attribution groups by, beside the figures: asked each second, it must not look into other tables.
    link = models.ForeignKey(
        Link, on_delete=models.PROTECT, related_name="+", null=True, db_constraint=False, db_index=False
    )
    strategy = models.CharField(max_length=40, blank=True, default="")
    symbol = models.CharField(max_length=32, null=True, help_text="ours")
    direction = models.CharField(max_length=4, null=True)
    quoted_percent = models.SmallIntegerField(null=True, help_text="the payout in force at t2, of what became an order")

    class Meta:
        db_table = "ea_latency"
        verbose_name = "attribution of a signal"
        verbose_name_plural = "attribution"
        default_permissions = ("view",)
        indexes = [models.Index(fields=["link", "log_us"], name="ea_latency_by_link")]

    def __str__(self) -> str:
        return str(self.event_id)


class SymbolAlias(models.Model):
    """What a broker calls one of our symbols; without an installation, what every broker does."""

    link = models.ForeignKey(Link, on_delete=models.CASCADE, null=True, related_name="+")
    raw = models.CharField(max_length=32)
    symbol = models.CharField(max_length=32)

    class Meta:
        db_table = "ea_symbol_alias"
        verbose_name = "name of a symbol"
        verbose_name_plural = "names of symbols"
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
        verbose_name = "unknown symbol"
        constraints = [models.UniqueConstraint(fields=["link", "raw"], name="ea_symbol_unknown_once")]

    def __str__(self) -> str:
        return self.raw


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


class Repeat(models.Model):
    """An event that came again, for ever: how often between two commits of the log."""

    id = models.BigAutoField(primary_key=True)
    event = models.ForeignKey(Event, on_delete=models.PROTECT, related_name="repeats", db_constraint=False)
    times = models.IntegerField()
    at_us = models.BigIntegerField()

    class Meta:
        db_table = "ea_repeat"
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=Q(times__gt=0), name="ea_repeat_times")]

    def __str__(self) -> str:
        return f"{self.event_id} {self.times} times"
