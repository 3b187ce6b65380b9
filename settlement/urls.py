"""Addresses of settlement under /api/v1/."""

from django.urls import path

from settlement import api, keys_api, studies_api
from settlement.fairness import execution_api, incidents_api, nights_api, rules_api

urlpatterns = [
    path("orders/<uuid:order_id>/receipt", api.ReceiptView.as_view()),
    path("fairness", rules_api.FairnessView.as_view()),
    path("fairness/execution", execution_api.ExecutionView.as_view()),
    path("fairness/incidents", incidents_api.FairnessIncidentsView.as_view()),
    path("fairness/invariants", nights_api.InvariantsView.as_view()),
    path("fairness/keys", keys_api.SigningKeysView.as_view()),
    path("fairness/payout-function", rules_api.PayoutFunctionView.as_view()),
    path("fairness/resettlements", nights_api.ResettlementsView.as_view()),
    path("fairness/resettlements/days", nights_api.ResettledDaysView.as_view()),
    path("fairness/rules", rules_api.RulesView.as_view()),
    path("fairness/rules/<str:slug>", rules_api.RuleView.as_view()),
    path("fairness/studies", studies_api.StudiesView.as_view()),
    path("fairness/verifier", keys_api.VerifierView.as_view()),
]
