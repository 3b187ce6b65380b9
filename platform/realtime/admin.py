"""Operators' view of the event log's counters."""

from __future__ import annotations

from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from realtime.models import EventCounter


@admin.register(EventCounter)
class EventCounterAdmin(ReadOnlyAdmin):
    """How far each user's event log has come, and from where on it is kept."""

    list_display = ("user", "seq", "floor")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    ordering = ("-seq",)
