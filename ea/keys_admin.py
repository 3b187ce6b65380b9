"""Operators' pages about installations, keys and alerts: to look at, and to end a key that has leaked."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from accounts.admin import ReadOnlyAdmin
from ea import selectors, services
from ea.dialogs import ReasonForm, back_to
from ea.models import Alert, Key, Link
from kernel.clock import optional_rfc3339, rfc3339, wall_ms


@admin.register(Link)
class LinkAdmin(ReadOnlyAdmin):
    """Installations; where an installation's orders go, and what it may do, is its owner's to say."""

    list_display = ("account", "server", "user", "ledger", "shown_keys", "shown_seen", "shown_made")
    list_filter = ("ledger",)
    list_select_related = ("user",)
    search_fields = ("account", "server", "user__email")
    ordering = ("-id",)
    fields = (
        *("id", "user", "account", "server", "ledger", "wallet_id", "prefix", "suffix", "shown_keys", "shown_seen"),
        "shown_made",
    )
    actions_detail: ClassVar[list[str]] = ["revoke_keys"]

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may end keys."""
        return request.user.has_perm("ea.change_key")

    @action(  # type: ignore[untyped-decorator]
        description="Revoke its keys",
        url_path="revoke-keys",
        permissions=["revoke"],
        icon="key_off",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Revoke all keys and hooks of this installation?",
            "description": "Its connections close within a second, its hooks at once. Open orders settle as always.",
            "form_class": ReasonForm,
            "form_submit_text": "Revoke",
        },
    )
    def revoke_keys(self, request: HttpRequest, form: ReasonForm, object_id: int) -> HttpResponse:
        """End all keys of the installation, those of its hooks included."""
        link, now_ms = Link.objects.get(pk=object_id), wall_ms()
        reason = form.cleaned_data["reason"]
        ended = [
            kid
            for kid in Key.objects.filter(link=link, revoked_at_ms__isnull=True).values_list("kid", flat=True)
            if services.key_revoke_for_cause(kid=kid, reason=reason, now_ms=now_ms)
        ]
        self.log_change(request, link, f"Revoked {', '.join(ended) or 'nothing'}: {reason}")
        messages.success(request, f"Revoked: {', '.join(ended) or 'nothing was in force'}.")
        return back_to(request, "ea_link", link)

    @admin.display(description="Keys in force")
    def shown_keys(self, link: Link) -> str:
        """Return the ids of keys in force."""
        return ", ".join(key.kid for key in selectors.keys_in_force(link.pk, wall_ms())) or "none"

    @admin.display(description="Last heard of")
    def shown_seen(self, link: Link) -> str:
        """Return when and by which way it was last heard of."""
        shown = selectors.installations_shown([link], now_ms=wall_ms())[link.pk]
        if shown.seen_at_ms is None:
            return "never"
        return f"{rfc3339(shown.seen_at_ms)} by {shown.transport}{', connected' if shown.online else ''}"

    @admin.display(description="Registered", ordering="made_at_ms")
    def shown_made(self, link: Link) -> str:
        """Return the instant of registration."""
        return rfc3339(link.made_at_ms)


@admin.register(Key)
class KeyAdmin(ReadOnlyAdmin):
    """Keys; their secrets are shown to nobody."""

    list_display = ("kid", "link", "scopes", "ledgers", "shown_state", "shown_made", "shown_until")
    list_select_related = ("link",)
    search_fields = ("kid", "link__account", "link__user__email")
    ordering = ("-made_at_ms",)
    fields = (
        *("kid", "link", "scopes", "ledgers", "networks", "shown_state", "shown_made", "shown_until"),
        "shown_revoked",
    )
    actions_detail: ClassVar[list[str]] = ["revoke"]

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may end keys."""
        return request.user.has_perm("ea.change_key")

    @action(  # type: ignore[untyped-decorator]
        description="Revoke",
        url_path="revoke",
        permissions=["revoke"],
        icon="key_off",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Revoke this key?",
            "description": "Its connection closes within a second. Open orders settle as always.",
            "form_class": ReasonForm,
            "form_submit_text": "Revoke",
        },
    )
    def revoke(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """End the key."""
        key = Key.objects.get(pk=unquote(object_id))
        reason = form.cleaned_data["reason"]
        if services.key_revoke_for_cause(kid=key.kid, reason=reason, now_ms=wall_ms()):
            self.log_change(request, key, f"Revoked: {reason}")
            messages.success(request, f"{key.kid} is revoked.")
        else:
            messages.info(request, f"{key.kid} was revoked already.")
        return back_to(request, "ea_key", key)

    @display(description="State", label={"in force": "success", "revoked": "danger", "run out": "warning"})  # type: ignore[untyped-decorator]
    def shown_state(self, key: Key) -> str:
        """Return one word."""
        if key.revoked_at_ms is not None:
            return "revoked"
        return "in force" if selectors.key_in_force(key, wall_ms()) else "run out"

    @admin.display(description="Made", ordering="made_at_ms")
    def shown_made(self, key: Key) -> str:
        """Return the instant it was made."""
        return rfc3339(key.made_at_ms)

    @admin.display(description="Runs out", ordering="valid_until_ms")
    def shown_until(self, key: Key) -> str:
        """Return when it runs out."""
        return optional_rfc3339(key.valid_until_ms) or "never"

    @admin.display(description="Revoked")
    def shown_revoked(self, key: Key) -> str:
        """Return when it was revoked."""
        return optional_rfc3339(key.revoked_at_ms) or "no"


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """What owners were told of their keys."""

    list_display = ("kind", "link", "kid", "address", "detail", "shown_at")
    list_filter = ("kind",)
    list_select_related = ("link",)
    search_fields = ("kid", "address")
    ordering = ("-id",)
    fields = ("id", *list_display)

    @admin.display(description="At", ordering="at_ms")
    def shown_at(self, alert: Alert) -> str:
        """Return the instant."""
        return rfc3339(alert.at_ms)
