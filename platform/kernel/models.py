"""Answers already given, facts that wait for their subscribers, runs of scheduled jobs, and public signing keys."""

from __future__ import annotations

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q


class IdempotencyKey(models.Model):
    """The first final answer to one money request, answered again byte for byte."""

    id = models.BigAutoField(primary_key=True)
    user_id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField()
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    body_sha256 = models.BinaryField()
    status = models.SmallIntegerField(null=True)
    body = models.BinaryField(null=True)
    content_type = models.CharField(max_length=64, default="application/json")
    created_at_ms = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user_id", "method", "path", "key"], name="kernel_idempotency_scope")
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.path} {self.key}"


class FactBatch(models.Model):
    """One batch of one fact that one subscriber still has to apply; the row goes when it has."""

    subscriber = models.CharField(max_length=40)
    fact = models.CharField(max_length=40)
    references: models.Field[list[uuid.UUID], list[uuid.UUID]] = ArrayField(models.UUIDField())
    at_ms = models.BigIntegerField()
    attempts = models.SmallIntegerField(default=0)
    retry_at_ms = models.BigIntegerField(default=0)
    failed_reason = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        db_table = "kernel_fact_batch"
        verbose_name = "waiting fact"
        constraints = [
            models.CheckConstraint(condition=Q(attempts__gte=0), name="kernel_fact_batch_attempts"),
            models.CheckConstraint(
                condition=Q(attempts=0, failed_reason="") | Q(attempts__gt=0) & ~Q(failed_reason=""),
                name="kernel_fact_batch_failure_has_reason",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.fact} for {self.subscriber}, batch {self.pk}"


class JobRun(models.Model):
    """One run of a scheduled job: a job has at most one for each of its periods."""

    class Outcome(models.TextChoices):
        """How a run ended."""

        RUNNING = "", "running"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    name = models.CharField(max_length=60)
    period = models.BigIntegerField(help_text="the run's instant divided by the length of the job's period")
    started_at_ms = models.BigIntegerField()
    finished_at_ms = models.BigIntegerField(null=True)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, blank=True, default=Outcome.RUNNING)
    detail = models.CharField(max_length=300, blank=True, default="")

    class Meta:
        db_table = "kernel_job_run"
        constraints = [
            # F-04: the second of two schedulers finds the period taken.
            models.UniqueConstraint(fields=["name", "period"], name="kernel_job_run_once"),
            models.CheckConstraint(
                condition=Q(outcome="", finished_at_ms__isnull=True)
                | Q(outcome__in=["done", "failed"], finished_at_ms__isnull=False),
                name="kernel_job_run_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.period}"


class SigningKey(models.Model):
    """The public part of a key that signed, with its time. Rows are never changed, but to end that time once."""

    key_id = models.CharField(max_length=16, unique=True)
    public_key = models.CharField(max_length=64)
    kind = models.CharField(max_length=10)
    since_ms = models.BigIntegerField()
    until_ms = models.BigIntegerField(null=True)

    class Meta:
        db_table = "kernel_signing_key"
        constraints = [
            models.CheckConstraint(condition=Q(key_id__regex="^[0-9a-f]{16}$"), name="kernel_signing_key_id"),
            models.CheckConstraint(condition=Q(public_key__regex="^[0-9a-f]{64}$"), name="kernel_signing_key_public"),
            models.CheckConstraint(condition=Q(kind__in=["production", "dev"]), name="kernel_signing_key_kind"),
            models.CheckConstraint(
                condition=Q(until_ms__isnull=True) | Q(until_ms__gte=F("since_ms")), name="kernel_signing_key_forward"
            ),
        ]

    def __str__(self) -> str:
        return self.key_id
