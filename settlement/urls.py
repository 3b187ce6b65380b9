"""Addresses of settlement under /api/v1/."""

from django.urls import path

from settlement import api

urlpatterns = [path("orders/<uuid:order_id>/receipt", api.ReceiptView.as_view())]
