"""What owners tell their experts, how these get their keys, and when they were last heard of."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from ea.domain import COMMANDS
from ea.models.signals import Link
from kernel.ids import uuid7


class Instruction(models.Model):
    """What an owner told an installation, for ever: a revision of a strategy's parameters, or a command.

    ``no`` is counted together with the transitions of its orders, so that one cursor tells how far a client has heard.
    """

    id = models.BigAutoField(primary_key=True)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="instructions", db_index=False)
    no = models.BigIntegerField()
    kind = models.CharField(max_length=8)
    strategy = models.CharField(max_length=40, blank=True, default="")
    rev = models.BigIntegerField(null=True)
    values = models.TextField(null=True, help_text="the parameters as a JSON object")
    cmd = models.CharField(max_length=8, null=True)
    frame = models.TextField(help_text="what the client is told, as it is sent")
    actor_id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField()
    at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ea_instruction"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["link", "no"], name="ea_instruction_no"),
            models.UniqueConstraint(
                fields=["link", "strategy", "rev"], condition=Q(kind="params"), name="ea_instruction_rev"
            ),
            models.CheckConstraint(
                condition=Q(kind="params", rev__isnull=False, rev__gt=0, values__isnull=False, cmd__isnull=True)
                | Q(kind="command", rev__isnull=True, values__isnull=True, cmd__in=COMMANDS),
                name="ea_instruction_kinds",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.no} for {self.link_id}"


class ParamsAck(models.Model):
    """That an expert has put a revision of parameters in force, for ever."""

    id = models.BigAutoField(primary_key=True)
    instruction = models.ForeignKey(Instruction, on_delete=models.PROTECT, related_name="acks", db_index=False)
    kid = models.CharField(max_length=32)
    at_ms = models.BigIntegerField()

    class Meta:
        db_table = "ea_params_ack"
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["instruction", "kid"], name="ea_params_ack_once")]

    def __str__(self) -> str:
        return f"{self.instruction_id} by {self.kid}"


class Pairing(models.Model):
    """A code that becomes a key, once and within ten minutes; only a digest of it is kept."""

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="+")
    digest = models.BinaryField(unique=True)
    ledgers = ArrayField(models.CharField(max_length=10))
    networks = ArrayField(models.CharField(max_length=49), default=list)
    made_at_ms = models.BigIntegerField()
    expires_at_ms = models.BigIntegerField()
    ended_at_ms = models.BigIntegerField(null=True, help_text="used, or replaced by a newer one")
    kid = models.CharField(max_length=32, null=True, help_text="the key that it became")

    class Meta:
        db_table = "ea_pairing"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["link"], condition=Q(ended_at_ms__isnull=True), name="ea_pairing_open"),
            models.CheckConstraint(
                condition=Q(ledgers__contained_by=["real", "demo", "tournament"]) & Q(ledgers__len__gt=0),
                name="ea_pairing_ledgers",
            ),
            models.CheckConstraint(
                condition=Q(kid__isnull=True) | Q(ended_at_ms__isnull=False), name="ea_pairing_used"
            ),
        ]

    def __str__(self) -> str:
        return f"of {self.link_id}"


class Presence(models.Model):
    """When and by which way a key was last heard of; a hint for its owner, written every few seconds."""

    kid = models.CharField(max_length=32, primary_key=True)
    link = models.ForeignKey(Link, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    transport = models.CharField(max_length=10)
    seen_at_ms = models.BigIntegerField()
    online = models.BooleanField()

    class Meta:
        db_table = "ea_presence"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.kid} by {self.transport}"
