"""Addresses of settlement under /api/v1/."""

from django.urls import path

from settlement import api, keys_api

urlpatterns = [
    path("orders/<uuid:order_id>/receipt", api.ReceiptView.as_view()),
    path("fairness/keys", keys_api.SigningKeysView.as_view()),
    path("fairness/verifier", keys_api.VerifierView.as_view()),
]
