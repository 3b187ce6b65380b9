"""Addresses of orders under /api/v1/."""

from django.urls import path

from trading import api

urlpatterns = [
    path("orders", api.OrderListView.as_view()),
    path("orders/<uuid:order_id>", api.OrderDetailView.as_view()),
]
