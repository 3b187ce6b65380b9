"""Receipts over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from accounts.api import CallerView
from accounts.domain import ledger_of
from kernel.errors import not_found
from kernel.http.pages import known_query
from quotes.archives_api import SignatureSerializer
from settlement.receipts import order_receipt, receipt_bytes
from trading.api import OrderSerializer


class ReceiptProofSerializer(serializers.Serializer[Any]):
    """What leads from a tick to the root of its minute's seal, from the leaf's sibling up."""

    index = serializers.IntegerField()
    minute = serializers.DateTimeField()
    path = serializers.ListField(child=serializers.CharField())


class ReceiptSealSerializer(serializers.Serializer[Any]):
    """The seal of a minute; hashes in hexadecimal."""

    symbol = serializers.CharField()
    minute = serializers.DateTimeField()
    count = serializers.IntegerField()
    first_seq = serializers.IntegerField()
    root = serializers.CharField()  # type: ignore[assignment]
    previous_head = serializers.CharField()
    head = serializers.CharField()


class ReceiptTickSerializer(serializers.Serializer[Any]):
    """One admitted tick as the log has it."""

    seq = serializers.IntegerField()
    at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    bid = serializers.CharField(allow_null=True)
    ask = serializers.CharField(allow_null=True)
    price = serializers.CharField()
    revision = serializers.IntegerField()
    proof = ReceiptProofSerializer(allow_null=True)


class ReceiptTicksSerializer(serializers.Serializer[Any]):
    """A tick that decided something, with its neighbours in the log."""

    tick = ReceiptTickSerializer(allow_null=True)
    before = ReceiptTickSerializer(allow_null=True)
    after = ReceiptTickSerializer(allow_null=True)


class ReceiptEvidenceSerializer(ReceiptTicksSerializer):
    """What the log says about the expiry."""

    window = ReceiptTickSerializer(many=True)
    window_before = ReceiptTickSerializer(allow_null=True)
    feed_closed = serializers.BooleanField()
    feed_said = serializers.CharField(allow_null=True)
    feed_said_at = serializers.DateTimeField(allow_null=True)
    emergency_revision = serializers.IntegerField(allow_null=True)


class ReceiptFeedSerializer(serializers.Serializer[Any]):
    """Where the prices came from."""

    name = serializers.CharField()
    symbol = serializers.CharField()
    endpoint = serializers.CharField()
    revision = serializers.IntegerField()
    price_source = serializers.CharField()


class ReceiptTermsSerializer(serializers.Serializer[Any]):
    """What was frozen at acceptance, besides the order's own fields."""

    currency = serializers.CharField()
    price_scale = serializers.IntegerField()
    max_tick_age_ms = serializers.IntegerField()
    symbol_revision = serializers.IntegerField()
    session_closes_at = serializers.DateTimeField(allow_null=True)
    entry_after_seq = serializers.IntegerField(allow_null=True)
    entry_until = serializers.DateTimeField(allow_null=True)
    expected_price = serializers.CharField(allow_null=True)
    max_price_drift = serializers.CharField(allow_null=True)


class ReceiptRulesSerializer(serializers.Serializer[Any]):
    """The rules in force, by name and version."""

    admission = serializers.CharField()
    entry = serializers.CharField()
    settlement = serializers.CharField()
    grace_ms = serializers.IntegerField()


class ReceiptWatermarkSerializer(serializers.Serializer[Any]):
    """The raise that made the order due."""

    watermark = serializers.DateTimeField()
    cause = serializers.ChoiceField(["tick", "heartbeat", "settlement"])
    raised_at = serializers.DateTimeField()


class ReceiptStepSerializer(serializers.Serializer[Any]):
    """One line of the arithmetic."""

    what = serializers.CharField()
    calculation = serializers.CharField()
    result = serializers.CharField()


class ReceiptTransferSerializer(serializers.Serializer[Any]):
    """One movement of money that belongs to the order."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    family = serializers.CharField()
    kind = serializers.CharField()
    amount = serializers.CharField()
    debit = serializers.CharField()
    credit = serializers.CharField()
    debit_no = serializers.IntegerField(allow_null=True)
    credit_no = serializers.IntegerField(allow_null=True)


class ReceiptSerializer(serializers.Serializer[Any]):
    """A receipt: all that its result follows from, as canonical JSON, signed.

    ``proofs`` is ``pending`` while the minute of a tick is open; the same receipt is complete about a minute later.
    """

    version = serializers.CharField()
    signed_at = serializers.DateTimeField()
    signature = SignatureSerializer(allow_null=True)
    ticks = serializers.ChoiceField(["log", "archive"])
    proofs = serializers.ChoiceField(["complete", "pending"])
    order = OrderSerializer()
    feed = serializers.CharField()
    source = ReceiptFeedSerializer()  # type: ignore[assignment]
    terms = ReceiptTermsSerializer()
    rules = ReceiptRulesSerializer()
    opening = ReceiptTicksSerializer()
    evidence = ReceiptEvidenceSerializer(allow_null=True)
    watermark = ReceiptWatermarkSerializer(allow_null=True)
    arithmetic = ReceiptStepSerializer(many=True)
    transfers = ReceiptTransferSerializer(many=True)
    seals = ReceiptSealSerializer(many=True)


class ReceiptView(CallerView):
    """The receipt of an order of the caller."""

    @extend_schema(operation_id="orders_receipt", responses=ReceiptSerializer)
    def get(self, request: Request, order_id: UUID) -> HttpResponse:
        """Show the receipt of an order as canonical JSON; of an open one, what is known by now."""
        known_query(request.query_params)
        found = order_receipt(user_id=self.caller.user_id, order_id=order_id)
        if found is None or not self.caller.may_see(ledger_of(found[0].book)):
            raise not_found()
        return HttpResponse(receipt_bytes(found[1]), content_type="application/json")
