"""Answers already given to requests that may be sent again."""

from __future__ import annotations

import uuid

from django.db import models


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
