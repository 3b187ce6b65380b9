"""The durable event log: one counter per user, one row per event."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class EventCounter(models.Model):
    """The newest sequence number of a user; its row lock orders the user's commits."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.PROTECT, related_name="+")
    seq = models.BigIntegerField(default=0)
    # Events up to this number may have been removed; a cursor below it is expired.
    floor = models.BigIntegerField(default=0)

    class Meta:
        db_table = "realtime_event_counter"
        constraints = [
            models.CheckConstraint(name="realtime_event_counter_order", condition=Q(floor__gte=0, seq__gte=F("floor"))),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.seq}"


class Event(models.Model):
    """One fact told to one user; rows never change and outlive their delivery."""

    pk = models.CompositePrimaryKey("user_id", "seq")
    user_id = models.UUIDField()
    seq = models.BigIntegerField()
    # 'real', 'demo', 't:<tournament id>', or '' for an event without a ledger.
    book = models.CharField(max_length=40, blank=True)
    type = models.CharField(max_length=64)
    version = models.SmallIntegerField()
    payload = models.JSONField()
    at_ms = models.BigIntegerField()

    class Meta:
        db_table = "realtime_event"
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.CheckConstraint(name="realtime_event_seq_positive", condition=Q(seq__gt=0)),
            models.CheckConstraint(name="realtime_event_version_positive", condition=Q(version__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self.user_id} {self.seq} {self.type}"
