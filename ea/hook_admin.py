"""Operators' page about hooks: to look at, and to end one whose address has got about."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.decorators import action, display
from unfold.enums import ActionVariant

from accounts.admin import ReadOnlyAdmin
from ea.dialogs import ReasonForm, back_to
from ea.hooks import hook_revoke
from ea.models import Hook
from ea.services import alert_add
from kernel.clock import optional_rfc3339, rfc3339, wall_ms


@admin.register(Hook)
class HookAdmin(ReadOnlyAdmin):
    """Hooks of TradingView; neither their addresses nor their secrets are stored."""

    list_display = ("key_id", "name", "shown_owner", "shown_installation", "shown_ledgers", "shown_state", "shown_made")
    search_fields = ("key__kid", "name", "key__link__user__email", "key__link__account")
    search_help_text = "Hook's id or name, owner's e-mail, account"
    ordering = ("-key__made_at_ms",)
    fields = (
        *("key_id", "name", "shown_owner", "shown_installation", "shown_ledgers", "shown_networks", "shown_secret"),
        *("shown_state", "shown_made", "shown_revoked"),
    )
    actions_detail: ClassVar[list[str]] = ["revoke"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Hook]:
        """Bring the installation and its owner along."""
        found: QuerySet[Hook] = super().get_queryset(request)
        return found.select_related("key__link__user")

    def has_revoke_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may end it, once."""
        if object_id is not None:
            living = Hook.objects.filter(pk=unquote(object_id), key__revoked_at_ms__isnull=True)
            if not living.exists():
                return False
        user: Any = request.user
        return bool(user.has_perm("ea.revoke_hook"))

    @display(description="State", label={"in force": "success", "revoked": "danger"})  # type: ignore[untyped-decorator]
    def shown_state(self, hook: Hook) -> str:
        """Return one word."""
        return "in force" if hook.key.revoked_at_ms is None else "revoked"

    @admin.display(description="Owner")
    def shown_owner(self, hook: Hook) -> str:
        """Return the owner's e-mail."""
        return str(hook.key.link.user)

    @admin.display(description="Installation")
    def shown_installation(self, hook: Hook) -> str:
        """Return the account and its trade server."""
        return str(hook.key.link)

    @admin.display(description="Ledgers")
    def shown_ledgers(self, hook: Hook) -> str:
        """Return where its alerts may trade."""
        return ", ".join(hook.key.ledgers)

    @admin.display(description="Addresses")
    def shown_networks(self, hook: Hook) -> str:
        """Return where alerts may come from."""
        return ", ".join(hook.key.networks) or "everywhere"

    @admin.display(description="Secret in the alert")
    def shown_secret(self, hook: Hook) -> str:
        """Return whether alerts say a secret."""
        return "needed" if hook.secret_sha256 is not None else "not needed"

    @admin.display(description="Made", ordering="key__made_at_ms")
    def shown_made(self, hook: Hook) -> str:
        """Return the instant of making."""
        return rfc3339(hook.key.made_at_ms)

    @admin.display(description="Revoked")
    def shown_revoked(self, hook: Hook) -> str:
        """Return the instant of revocation."""
        return optional_rfc3339(hook.key.revoked_at_ms) or "no"

    @action(  # type: ignore[untyped-decorator]
        description="Revoke",
        url_path="revoke",
        permissions=["revoke"],
        icon="link_off",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Revoke this hook?",
            "description": "Its address is unknown at once and for ever. What it has logged goes on.",
            "form_class": ReasonForm,
            "form_submit_text": "Revoke",
        },
    )
    def revoke(self, request: HttpRequest, form: ReasonForm, object_id: str) -> HttpResponse:
        """End the hook and tell its owner why."""
        hook = Hook.objects.select_related("key").get(pk=unquote(object_id))
        reason, now_ms = form.cleaned_data["reason"], wall_ms()
        hook_revoke(link_id=hook.key.link_id, kid=hook.pk, now_ms=now_ms)
        alert_add(kind="revoked", link_id=hook.key.link_id, kid=hook.pk, detail=reason, now_ms=now_ms)
        self.log_change(request, hook, f"Revoked: {reason}")
        messages.success(request, f"{hook} is revoked.")
        return back_to(request, "ea_hook", hook)
