"""Tables of the ledger. Only this app imports them; transfers are append-only by trigger and by role."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Length
from django.db.models.lookups import Exact

from kernel.ids import uuid7
from ledger.domain import AccountKind, AdjustmentOrigin, Family, ReasonCode, RequestState

_USER_KINDS = [AccountKind.WALLET, AccountKind.BONUS, AccountKind.STAKES]


class Account(models.Model):
    """A place where money of one book and currency is.

    Guarded accounts (a user's) keep balance and entry number, and never fall below zero. Accounts of the house keep
    none, so that no row is hot: their balance is the sum of their transfers.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    book = models.CharField(max_length=40, help_text="real, demo, or t: and a tournament's id")
    currency = models.CharField(max_length=3)
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.value) for kind in AccountKind])
    stripe = models.SmallIntegerField(default=0)
    # The wallet whose open stakes this account holds; it changes under that wallet's lock only.
    wallet = models.OneToOneField("self", on_delete=models.PROTECT, null=True, related_name="stakes_account")
    balance = models.BigIntegerField(null=True, help_text="minor units")
    entry_no = models.BigIntegerField(null=True)
    opened_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ledger_account"
        constraints = [
            models.UniqueConstraint(fields=["id", "book", "currency"], name="ledger_account_place"),
            models.UniqueConstraint(
                fields=["owner", "book", "currency"], condition=Q(kind="wallet"), name="ledger_account_one_wallet"
            ),
            models.UniqueConstraint(
                fields=["book", "currency", "kind", "stripe"],
                condition=Q(owner__isnull=True),
                name="ledger_account_one_house",
            ),
            models.CheckConstraint(
                # A comparison with a missing value would let the row pass: what must be there is asked for.
                condition=Q(owner__isnull=False, kind__in=_USER_KINDS, balance__isnull=False, entry_no__isnull=False)
                & Q(balance__gte=0, entry_no__gte=0)
                | Q(owner__isnull=True, balance__isnull=True, entry_no__isnull=True),
                name="ledger_account_guarded",
            ),
            models.CheckConstraint(
                condition=Q(kind="stakes", wallet__isnull=False) | (~Q(kind="stakes") & Q(wallet__isnull=True)),
                name="ledger_account_stakes_have_wallet",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.book} {self.kind} {self.id}"


class Transfer(models.Model):
    """One movement of money, for ever: the amount leaves ``debit`` and reaches ``credit``."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    entry_id = models.UUIDField(help_text="links the transfers of one fact")
    family = models.CharField(max_length=24, choices=[(family.value, family.value) for family in Family])
    kind = models.CharField(max_length=24)
    reference = models.UUIDField()
    # The database holds composite foreign keys instead: (account, book, currency), see the second migration.
    debit_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    credit_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_index=False, db_constraint=False
    )
    amount = models.BigIntegerField(help_text="minor units")
    book = models.CharField(max_length=40)
    currency = models.CharField(max_length=3)
    debit_no = models.BigIntegerField(null=True)
    debit_after = models.BigIntegerField(null=True)
    credit_no = models.BigIntegerField(null=True)
    credit_after = models.BigIntegerField(null=True)
    at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ledger_transfer"
        # Transfers come in the order of time: a few bytes for each stretch of the table find what is newer than a day.
        indexes = [BrinIndex(fields=["at_ms"], name="ledger_transfer_at", pages_per_range=32, autosummarize=True)]
        constraints = [
            models.UniqueConstraint(fields=["family", "reference"], name="ledger_transfer_once"),
            models.UniqueConstraint(
                fields=["debit_account", "debit_no"],
                condition=Q(debit_no__isnull=False),
                name="ledger_transfer_debit_no",
            ),
            models.UniqueConstraint(
                fields=["credit_account", "credit_no"],
                condition=Q(credit_no__isnull=False),
                name="ledger_transfer_credit_no",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="ledger_transfer_amount"),
            models.CheckConstraint(
                condition=~Q(debit_account=F("credit_account")), name="ledger_transfer_two_accounts"
            ),
            # Money enters and leaves each book only in the ways that belong to it (I-08).
            models.CheckConstraint(
                condition=Q(family__in=[Family.ORDER_STAKE, Family.ORDER_CLOSE, Family.ORDER_PROFIT])
                | Q(family__in=[Family.DEMO_GRANT, Family.DEMO_REFILL], book="demo")
                | Q(family=Family.ADJUSTMENT, book="real"),
                name="ledger_transfer_family_book",
            ),
            models.CheckConstraint(
                condition=(
                    Q(debit_no__isnull=True, debit_after__isnull=True)
                    | Q(debit_no__isnull=False, debit_after__isnull=False, debit_no__gte=1, debit_after__gte=0)
                )
                & (
                    Q(credit_no__isnull=True, credit_after__isnull=True)
                    | Q(credit_no__isnull=False, credit_after__isnull=False, credit_no__gte=1, credit_after__gte=0)
                ),
                name="ledger_transfer_numbered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.family} {self.amount} {self.currency}"


class AdjustmentRequest(models.Model):
    """A movement by hand that one person asks for and another one decides.

    What is asked for never changes, and a decision is final: see the rules of the database in the migrations.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField(help_text="minor units, signed")
    reason_code = models.CharField(max_length=16, choices=[(code.value, code.value) for code in ReasonCode])
    note = models.CharField(max_length=200, help_text="The client reads it in the statement.")
    payload_hash = models.BinaryField(max_length=32, editable=False)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requested_at_ms = models.BigIntegerField()
    expires_at_ms = models.BigIntegerField()
    state = models.CharField(
        max_length=16, choices=[(state.value, state.value) for state in RequestState], default=RequestState.PENDING
    )
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at_ms = models.BigIntegerField(null=True)
    decision_note = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        db_table = "ledger_adjustment_request"
        default_permissions = ("view",)
        permissions = [
            ("request_adjustment", "Can ask for an adjustment"),
            ("approve_adjustment", "Can decide about an adjustment that somebody else asked for"),
        ]
        indexes = [models.Index(fields=["expires_at_ms"], condition=Q(state="pending"), name="ledger_request_pending")]
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="ledger_request_amount"),
            models.CheckConstraint(condition=~Q(note=""), name="ledger_request_note"),
            models.CheckConstraint(condition=Q(reason_code__in=list(ReasonCode)), name="ledger_request_reason"),
            models.CheckConstraint(condition=Q(expires_at_ms__gt=F("requested_at_ms")), name="ledger_request_expiry"),
            models.CheckConstraint(
                # I-32: who decides is there, and is another person than the one who asked.
                condition=Q(state="pending", decided_by__isnull=True, decided_at_ms__isnull=True, decision_note="")
                | Q(state="expired", decided_by__isnull=True, decided_at_ms__isnull=False)
                | Q(state="withdrawn", decided_by__isnull=False, decided_at_ms__isnull=False)
                & Q(decided_by=F("requested_by"))
                | Q(state__in=["approved", "rejected"], decided_by__isnull=False, decided_at_ms__isnull=False)
                & ~Q(decided_by=F("requested_by")),
                name="ledger_request_decided",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reason_code}: {self.note}"


class Adjustment(models.Model):
    """Why money was moved by hand; shown to the client with the transfer."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField(help_text="minor units, signed")
    reason = models.CharField(max_length=200)
    at_ms = models.BigIntegerField()
    origin = models.CharField(
        max_length=16,
        choices=[(origin.value, origin.value) for origin in AdjustmentOrigin],
        default=AdjustmentOrigin.DEVELOPMENT,
    )
    request = models.OneToOneField(AdjustmentRequest, on_delete=models.PROTECT, null=True, related_name="adjustment")

    class Meta:
        db_table = "ledger_adjustment"
        constraints = [
            models.CheckConstraint(condition=~Q(amount=0), name="ledger_adjustment_amount"),
            models.CheckConstraint(
                condition=Q(origin="development", request__isnull=True)
                | Q(origin="approved", request__isnull=False, request=F("id")),
                name="ledger_adjustment_origin",
            ),
        ]

    def __str__(self) -> str:
        return self.reason


class Checkpoint(models.Model):
    """Where an account stood when a UTC day ended; an account that did not move gets none for that day."""

    pk = models.CompositePrimaryKey("account_id", "day")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="+", db_index=False)
    day = models.DateField(help_text="the UTC day that ended")
    entry_no = models.BigIntegerField(null=True, help_text="the account's last entry; the house has none")
    balance = models.BigIntegerField(help_text="minor units")
    hash = models.BinaryField(max_length=32)
    previous_hash = models.BinaryField(max_length=32)
    made_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ledger_checkpoint"
        indexes = [models.Index(fields=["day"], name="ledger_checkpoint_day")]
        constraints = [
            models.CheckConstraint(
                condition=Exact(Length("hash"), 32) & Exact(Length("previous_hash"), 32), name="ledger_checkpoint_hash"
            ),
            models.CheckConstraint(
                condition=Q(entry_no__isnull=True) | Q(entry_no__isnull=False, entry_no__gte=1, balance__gte=0),
                name="ledger_checkpoint_numbered",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} {self.day}"
