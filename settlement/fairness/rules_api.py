"""The rules, the payout function and the index of all that is published, over REST."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from django.urls import Resolver404, resolve
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.errors import not_found
from kernel.http.pages import known_query
from quotes.api import PublicView, break_even_percent
from quotes.models import PAYOUT_LEAST, PAYOUT_MOST
from quotes.payouts import PAYOUT_1
from settlement.fairness.nights_api import ResettlementSerializer, invariants_document, resettlement_document
from settlement.fairness.payout_function import EXAMPLE_ORDERS, EXAMPLE_TERMS, FORMULA, example
from settlement.fairness.rules import RULES, constants, head_document, rule_document
from settlement.models import InvariantNight, Resettlement

BASE = "/api/v1/fairness"
# What there is to read, besides this index; an address that this platform does not have is left out.
ADDRESSES = (
    ("rules", "The rules in force: words, constants, golden vectors"),
    ("payout-function", "How payouts follow from orders, with an example; their history is at /symbols/{code}/payouts"),
    ("execution", "Equal execution: real against demo, winners against losers"),
    ("resettlements", "Each night, all settled orders decided again from the ticks: how many came out otherwise"),
    ("resettlements/days", "The newest of these counts by day of settlement"),
    ("invariants", "Each night, the invariants of money and orders with their violations"),
    ("incidents", "Halts, emergency revisions and feed gaps"),
    ("studies", "What the rules are worth, measured on recorded traffic"),
    ("archives", "The tick logs of whole days, sealed and signed"),
    ("heads", "The heads of the seals"),
    ("keys", "The keys that documents are signed with"),
    ("verifier", "The program that checks a receipt without asking anybody"),
)


class ConstantSerializer(serializers.Serializer[Any]):
    """A constant of a rule, with its unit at the end of its name."""

    name = serializers.CharField()
    value = serializers.IntegerField()


class RuleHeadSerializer(serializers.Serializer[Any]):
    """A rule with its constants in force and the symbols whose new orders it binds."""

    slug = serializers.CharField()
    kind = serializers.ChoiceField(["admission", "entry", "settlement", "payout"])
    name = serializers.CharField()
    version = serializers.IntegerField()
    constants = ConstantSerializer(many=True)
    symbols = serializers.ListField(child=serializers.CharField())


class RuleSerializer(RuleHeadSerializer):
    """A rule with its exact words, in Markdown, and its golden vectors; null for rules without any."""

    words = serializers.CharField()
    words_sha256 = serializers.CharField()
    vectors = serializers.ListField(child=serializers.DictField(), allow_null=True)
    vectors_sha256 = serializers.CharField(allow_null=True)


class RuleListSerializer(serializers.Serializer[Any]):
    """All rules."""

    data = RuleHeadSerializer(many=True)  # type: ignore[assignment]
    next_cursor = serializers.CharField(allow_null=True)


class ExampleOrdersSerializer(serializers.Serializer[Any]):
    """Orders of the example, alike: so many users with one order each."""

    users = serializers.IntegerField()
    stake_minor = serializers.IntegerField()
    won = serializers.BooleanField()


class ExampleTermsSerializer(serializers.Serializer[Any]):
    """The symbol's terms in the example, in percent."""

    fixed = serializers.IntegerField()
    min = serializers.IntegerField()
    max = serializers.IntegerField()
    previous = serializers.IntegerField()


class PayoutExampleSerializer(serializers.Serializer[Any]):
    """The function on the orders of the example; ``figures`` are those that each change of a payout is listed with."""

    orders = ExampleOrdersSerializer(many=True)
    terms = ExampleTermsSerializer()
    figures = serializers.DictField()
    payout_percent = serializers.IntegerField()


class BreakEvenSerializer(serializers.Serializer[Any]):
    """The share of wins at which a trader neither gains nor loses."""

    payout_percent = serializers.IntegerField()
    break_even_percent = serializers.FloatField()


class PayoutFunctionSerializer(serializers.Serializer[Any]):
    """The payout function."""

    name = serializers.CharField()
    formula = serializers.ListField(child=serializers.CharField())
    constants = ConstantSerializer(many=True)
    break_even_formula = serializers.CharField()
    break_even = BreakEvenSerializer(many=True)
    example = PayoutExampleSerializer()
    history = serializers.CharField()


class AddressSerializer(serializers.Serializer[Any]):
    """Something to read."""

    name = serializers.CharField()
    address = serializers.CharField()
    about = serializers.CharField()


class RuleAddressSerializer(serializers.Serializer[Any]):
    """A rule and where it is."""

    kind = serializers.CharField()
    name = serializers.CharField()
    address = serializers.CharField()


class InvariantsSumSerializer(serializers.Serializer[Any]):
    """The newest check of all invariants: how many there are and how many are violated."""

    at = serializers.DateTimeField()
    checked = serializers.IntegerField()
    violated = serializers.IntegerField()


_INVARIANTS_SUM = ("at", "checked", "violated")


class FairnessSerializer(serializers.Serializer[Any]):
    """What the platform publishes, and what the newest night found; null before the first one."""

    platform = serializers.CharField()
    rules = RuleAddressSerializer(many=True)
    addresses = AddressSerializer(many=True)
    resettlement = ResettlementSerializer(allow_null=True)
    invariants = InvariantsSumSerializer(allow_null=True)


class FairnessView(PublicView):
    """The index."""

    @extend_schema(operation_id="fairness_index", responses=FairnessSerializer, auth=[])
    def get(self, request: Request) -> Response:
        """Tell what is published, under which addresses, and what the newest night found."""
        known_query(request.query_params)
        run = Resettlement.objects.order_by("-at_ms", "-id").first()
        night = InvariantNight.objects.order_by("-at_ms", "-id").first()
        checked = None if night is None else invariants_document(night)
        return Response(
            {
                "platform": version("fairstrike"),
                "rules": [
                    {"kind": rule.kind, "name": rule.name, "address": f"{BASE}/rules/{slug}"}
                    for slug, rule in RULES.items()
                ],
                "addresses": [
                    {"name": name, "address": f"{BASE}/{name}", "about": about}
                    for name, about in ADDRESSES
                    if _is_there(f"{BASE}/{name}")
                ],
                "resettlement": None if run is None else resettlement_document(run),
                "invariants": checked and {name: checked[name] for name in _INVARIANTS_SUM},
            }
        )


class RulesView(PublicView):
    """All rules."""

    @extend_schema(operation_id="fairness_rules", responses=RuleListSerializer, auth=[])
    def get(self, request: Request) -> Response:
        """List the rules with their constants in force."""
        known_query(request.query_params)
        return Response({"data": [head_document(rule) for rule in RULES.values()], "next_cursor": None})


class RuleView(PublicView):
    """One rule."""

    problems = {"GET": (503,)}

    @extend_schema(operation_id="fairness_rule", responses=RuleSerializer, auth=[])
    def get(self, request: Request, slug: str) -> Response:
        """Show a rule with its words and its golden vectors."""
        known_query(request.query_params)
        if slug not in RULES:
            raise not_found()
        return Response(rule_document(RULES[slug]))


class PayoutFunctionView(PublicView):
    """The payout function."""

    @extend_schema(operation_id="fairness_payout_function", responses=PayoutFunctionSerializer, auth=[])
    def get(self, request: Request) -> Response:
        """Show the payout function, an example that it reckons itself, and what a payout means for a trader."""
        known_query(request.query_params)
        percent, figures = example()
        rule = next(rule for rule in RULES.values() if rule.kind == "payout")
        return Response(
            {
                "name": PAYOUT_1.version,
                "formula": list(FORMULA),
                "constants": [{"name": name, "value": value} for name, value in constants(rule).items()],
                "break_even_formula": "100 x 100 / (100 + payout), in percent",
                "break_even": [
                    {"payout_percent": payout, "break_even_percent": break_even_percent(payout)}
                    for payout in range(PAYOUT_LEAST, PAYOUT_MOST + 1)
                ],
                "example": {
                    "orders": [
                        {"users": users, "stake_minor": stake, "won": won} for users, stake, won in EXAMPLE_ORDERS
                    ],
                    "terms": EXAMPLE_TERMS,
                    "figures": figures,
                    "payout_percent": percent,
                },
                "history": "/api/v1/symbols/{code}/payouts",
            }
        )


def _is_there(path: str) -> bool:
    try:
        resolve(path)
    except Resolver404:
        return False
    return True
