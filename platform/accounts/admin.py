"""Operators' pages about people: users and bans, tokens, the trail, log-in methods."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action, display
from unfold.enums import ActionVariant
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts import services
from accounts.models import AccessTrail, ApiToken, Ban, Consent, CountryPolicy, DevMail, Limit, LimitChange, User
from accounts.panels import bans_table, cap_text, limit_changes_table, limit_text, limits_table, waits_text
from kernel.clock import optional_rfc3339, rfc3339, wall_ms

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ReadOnlyAdmin(ModelAdmin):  # type: ignore[misc]
    """Rows to look at: operators change nothing here."""

    list_per_page = 50
    list_fullwidth = True

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse adding."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse changing."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse removing."""
        return False


class BanForm(BaseDialogForm):  # type: ignore[misc]
    """Ask an operator why, and for how long."""

    reason = forms.CharField(
        max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}), help_text="The user reads it."
    )
    until = forms.DateTimeField(
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        help_text="UTC. The ban is lifted by itself then; without it, by an operator only.",
    )

    def clean_until(self) -> int | None:
        """Return the end in Unix milliseconds; it must lie ahead."""
        until: datetime | None = self.cleaned_data["until"]
        until_ms = None if until is None else (until - _EPOCH) // timedelta(milliseconds=1)
        if until_ms is not None and until_ms <= wall_ms():
            raise forms.ValidationError("The end must lie ahead.")
        return until_ms


class BannedFilter(admin.SimpleListFilter):
    """Banned users, or the others."""

    title = "ban"
    parameter_name = "banned"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Return the choices."""
        return [("yes", "banned"), ("no", "not banned")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> QuerySet[User]:
        """Keep the chosen ones."""
        if self.value() is None:
            return queryset
        return queryset.filter(banned_at_ms__isnull=self.value() == "no")


@admin.register(User)
class UserAdmin(ModelAdmin):  # type: ignore[misc]
    """Users; an operator bans and unbans, and never sees or sets a password."""

    list_display = ("email", "shown_state", "shown_level", "country", "is_staff", "shown_created")
    list_filter = (BannedFilter, "level", "is_staff", "is_active")
    list_filter_submit = True
    list_per_page = 50
    list_fullwidth = True
    search_fields = ("email", "id")
    search_help_text = "E-mail or id"
    ordering = ("-id",)
    fieldsets = (
        (None, {"fields": ("id", "email", "country", "shown_level", "shown_created", "last_login")}),
        ("Ban", {"fields": ("shown_banned", "shown_banned_until", "ban_reason", "shown_bans")}),
        (
            "Own limits, breaks and exclusions: the user's alone to change",
            {"fields": ("shown_excluded", "shown_break", "shown_limits", "shown_limit_changes")},
        ),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
    )
    filter_horizontal = ("groups",)
    actions_detail: ClassVar[list[str]] = ["ban", "unban"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Refuse adding: people sign up themselves, operators are made by command."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse removing: money and evidence hang on a user."""
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Let superusers alone change rights."""
        shown = ("id", "email", "shown_level", "shown_created", "last_login")
        bans = ("shown_banned", "shown_banned_until", "ban_reason", "shown_bans")
        breaks = ("shown_excluded", "shown_break", "shown_limits", "shown_limit_changes")
        rights = () if _is_superuser(request) else ("is_active", "is_staff", "is_superuser", "groups")
        return (*shown, *bans, *breaks, *rights)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Write what the operator changed and nothing else: the user may act at the same moment."""
        own = {field.name for field in User._meta.concrete_fields}
        obj.save(update_fields=sorted(own.intersection(form.changed_data)))

    def has_ban_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether the operator may ban: who may change users may, once."""
        return _may_change(request) and not _is_banned(object_id)

    def has_unban_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        """Whether there is a ban that the operator may lift."""
        return _may_change(request) and _is_banned(object_id)

    @display(description="State", label={"active": "success", "banned": "danger", "closed": "warning"})  # type: ignore[untyped-decorator]
    def shown_state(self, user: User) -> str:
        """Return one word."""
        if user.is_banned:
            return "banned"
        return "active" if user.is_active else "closed"

    @admin.display(description="Verified")
    def shown_level(self, user: User) -> str:
        """Return what is verified."""
        return User.Level(user.level).label

    @admin.display(description="Signed up", ordering="created_at_ms")
    def shown_created(self, user: User) -> str:
        """Return the instant of sign-up."""
        return rfc3339(user.created_at_ms)

    @admin.display(description="Banned at")
    def shown_banned(self, user: User) -> str:
        """Return the instant of the ban."""
        return optional_rfc3339(user.banned_at_ms) or "not banned"

    @admin.display(description="Banned until")
    def shown_banned_until(self, user: User) -> str:
        """Return when the ban lapses."""
        return optional_rfc3339(user.banned_until_ms) or ("lifted by hand only" if user.is_banned else "not banned")

    @admin.display(description="History of bans")
    def shown_bans(self, user: User) -> SafeString:
        """Return the bans, newest first."""
        return bans_table(user.pk)

    @admin.display(description="Own limits")
    def shown_limits(self, user: User) -> SafeString:
        """Return the limits that are set."""
        return limits_table(user.pk, now_ms=wall_ms())

    @admin.display(description="Changes of them")
    def shown_limit_changes(self, user: User) -> SafeString:
        """Return what became of limits, breaks and exclusions, newest first."""
        return limit_changes_table(user.pk)

    @admin.display(description="Self-excluded until")
    def shown_excluded(self, user: User) -> str:
        """Return the end of self-exclusion."""
        return optional_rfc3339(user.excluded_until_ms) or "no"

    @admin.display(description="On a break until")
    def shown_break(self, user: User) -> str:
        """Return the end of a break."""
        return optional_rfc3339(user.break_until_ms) or "no"

    @action(  # type: ignore[untyped-decorator]
        description="Ban",
        url_path="ban",
        permissions=["ban"],
        icon="block",
        variant=ActionVariant.DANGER,
        dialog={
            "title": "Ban this user?",
            "description": "Tokens are suspended and sockets close within seconds; open orders settle as always.",
            "form_class": BanForm,
            "form_submit_text": "Ban",
        },
    )
    def ban(self, request: HttpRequest, form: BanForm, object_id: UUID) -> HttpResponse:
        """Ban the user with the reason given."""
        user = User.objects.get(pk=object_id)
        reason, until_ms = form.cleaned_data["reason"], form.cleaned_data["until"]
        by_id = request.user.pk
        if services.user_ban(email=user.email, reason=reason, now_ms=wall_ms(), until_ms=until_ms, by_id=by_id):
            self.log_change(request, user, f"Banned: {reason}")
            messages.success(request, f"{user.email} is banned.")
        else:
            messages.info(request, f"{user.email} was banned already.")
        return _back(request, user)

    @action(  # type: ignore[untyped-decorator]
        description="Lift ban",
        url_path="unban",
        permissions=["unban"],
        icon="lock_open",
        dialog={
            "title": "Lift this user's ban?",
            "description": "Tokens work again.",
            "form_class": BaseDialogForm,
            "form_submit_text": "Lift the ban",
        },
    )
    def unban(self, request: HttpRequest, form: BaseDialogForm, object_id: UUID) -> HttpResponse:
        """Lift the user's ban."""
        user = User.objects.get(pk=object_id)
        if services.user_unban(email=user.email, now_ms=wall_ms(), by_id=request.user.pk):
            self.log_change(request, user, "Ban lifted")
            messages.success(request, f"The ban of {user.email} is lifted.")
        else:
            messages.info(request, f"{user.email} was not banned.")
        return _back(request, user)


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    """API tokens; secrets are not stored and cannot be shown."""

    list_display = ("prefix", "name", "user", "scopes", "ledgers", "shown_state", "shown_created", "shown_used")
    list_select_related = ("user",)
    search_fields = ("prefix", "name", "user__email")
    ordering = ("-id",)
    fields = (
        *("id", "user", "name", "prefix", "scopes", "ledgers", "ips", "shown_state", "shown_created", "shown_used"),
        *("shown_stake_cap", "shown_loss_cap"),
    )

    @display(description="State", label={"in force": "success", "revoked": "danger", "expired": "warning"})  # type: ignore[untyped-decorator]
    def shown_state(self, token: ApiToken) -> str:
        """Return one word."""
        if token.revoked_at_ms is not None:
            return "revoked"
        expired = token.expires_at_ms is not None and token.expires_at_ms <= wall_ms()
        return "expired" if expired else "in force"

    @admin.display(description="Created", ordering="created_at_ms")
    def shown_created(self, token: ApiToken) -> str:
        """Return the instant of creation."""
        return rfc3339(token.created_at_ms)

    @admin.display(description="Last used", ordering="last_used_at_ms")
    def shown_used(self, token: ApiToken) -> str:
        """Return the last use, by the minute."""
        return optional_rfc3339(token.last_used_at_ms) or "never"

    @admin.display(description="Cap of stakes in 24 hours")
    def shown_stake_cap(self, token: ApiToken) -> str:
        """Return the most that its orders may stake."""
        return cap_text(token.stake_day_cap)

    @admin.display(description="Cap of losses in 24 hours")
    def shown_loss_cap(self, token: ApiToken) -> str:
        """Return the most that its orders may lose."""
        return cap_text(token.loss_day_cap)


@admin.register(Limit)
class LimitAdmin(ReadOnlyAdmin):
    """Own limits of users; no operator sets or loosens one."""

    list_display = ("user", "name", "shown_value", "shown_waits", "shown_set")
    list_filter = ("name",)
    list_select_related = ("user",)
    search_fields = ("user__email",)
    ordering = ("-id",)
    fields = ("user", "name", "shown_value", "shown_waits", "shown_set")

    @admin.display(description="Value")
    def shown_value(self, row: Limit) -> str:
        """Return the value with its unit."""
        return limit_text(row.name, row.value)

    @admin.display(description="Waits to be confirmed")
    def shown_waits(self, row: Limit) -> str:
        """Return the loosening that waits."""
        return waits_text(row.name, row.state.at(wall_ms()))

    @admin.display(description="Changed", ordering="set_at_ms")
    def shown_set(self, row: Limit) -> str:
        """Return the instant of the newest change."""
        return rfc3339(row.set_at_ms)


class ShownInstant(ReadOnlyAdmin):
    """A read-only list of rows that carry ``at_ms``."""

    @admin.display(description="At", ordering="at_ms")
    def shown_at(self, row: Any) -> str:
        """Return the instant."""
        return rfc3339(row.at_ms)


@admin.register(LimitChange)
class LimitChangeAdmin(ShownInstant):
    """What became of own limits, breaks and exclusions."""

    list_display = ("shown_at", "user", "name", "act", "shown_old", "shown_new")
    list_filter = ("name", "act")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    ordering = ("-id",)
    fields = ("shown_at", "user", "name", "act", "shown_old", "shown_new")

    @admin.display(description="From")
    def shown_old(self, change: LimitChange) -> str:
        """Return what held before."""
        return limit_text(change.name, change.old_value)

    @admin.display(description="To")
    def shown_new(self, change: LimitChange) -> str:
        """Return what was asked for."""
        return limit_text(change.name, change.new_value)


@admin.register(Ban)
class BanAdmin(ReadOnlyAdmin):
    """The history of bans."""

    list_display = ("shown_from", "user", "reason", "by", "shown_until", "shown_lifted", "lifted_by")
    list_select_related = ("user", "by", "lifted_by")
    search_fields = ("user__email", "reason")
    ordering = ("-id",)
    fields = ("user", "reason", "by", "shown_from", "shown_until", "shown_lifted", "lifted_by")

    @admin.display(description="From", ordering="id")
    def shown_from(self, ban: Ban) -> str:
        """Return the instant of the ban."""
        return rfc3339(ban.from_ms)

    @admin.display(description="Until")
    def shown_until(self, ban: Ban) -> str:
        """Return when it lapses by itself."""
        return optional_rfc3339(ban.until_ms) or "no end"

    @admin.display(description="Lifted")
    def shown_lifted(self, ban: Ban) -> str:
        """Return when it was lifted."""
        return optional_rfc3339(ban.lifted_at_ms) or "in force"


@admin.register(CountryPolicy)
class CountryPolicyAdmin(ModelAdmin):  # type: ignore[misc]
    """Which countries' clients may not trade; it binds everybody of a country alike."""

    list_display = ("country", "orders_refused", "bonus_refused", "note")
    list_filter = ("orders_refused", "bonus_refused")
    search_fields = ("country", "note")
    actions = None


@admin.register(AccessTrail)
class AccessTrailAdmin(ShownInstant):
    """The trail of access."""

    list_display = ("shown_at", "kind", "user", "ip", "user_agent")
    list_filter = ("kind",)
    list_select_related = ("user",)
    search_fields = ("user__email", "ip")
    ordering = ("-id",)


@admin.register(Consent)
class ConsentAdmin(ShownInstant):
    """What users consented to."""

    list_display = ("shown_at", "user", "document", "version")
    list_select_related = ("user",)
    search_fields = ("user__email",)
    ordering = ("-id",)


@admin.register(DevMail)
class DevMailAdmin(ShownInstant):
    """Mails kept in development."""

    list_display = ("shown_at", "to", "subject")
    search_fields = ("to", "subject")
    ordering = ("-id",)


class EmailAddressAdmin(ReadOnlyAdmin):
    """E-mail addresses of users."""

    list_display = ("email", "user", "primary", "verified")
    list_select_related = ("user",)
    search_fields = ("email",)


class AuthenticatorAdmin(ReadOnlyAdmin):
    """Second factors of users, without their secrets."""

    list_display = ("user", "type", "created_at", "last_used_at")
    list_select_related = ("user",)
    list_filter = ("type",)
    search_fields = ("user__email",)
    fields = ("user", "type", "created_at", "last_used_at")


class UserSessionAdmin(ReadOnlyAdmin):
    """Sessions of users, without their keys."""

    list_display = ("user", "ip", "user_agent", "created_at", "last_seen_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "ip")
    fields = ("user", "ip", "user_agent", "created_at", "last_seen_at")


class GroupAdmin(ModelAdmin):  # type: ignore[misc]
    """Groups of operators and their permissions."""

    search_fields = ("name",)
    ordering = ("name",)
    filter_horizontal = ("permissions",)


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _may_change(request: HttpRequest) -> bool:
    return request.user.has_perm("accounts.change_user")


def _is_banned(object_id: Any) -> bool:
    return User.objects.filter(pk=object_id, banned_at_ms__isnull=False).exists()


def _back(request: HttpRequest, user: User) -> HttpResponse:
    page = reverse("admin:accounts_user_change", args=[user.pk])
    if "HX-Request" in request.headers:
        return HttpResponse(headers={"HX-Redirect": page})
    return HttpResponseRedirect(page)


def _replace(model: type[Model], page: type[ModelAdmin]) -> None:
    """Show a library's model in our own dress: its own page would look broken in this theme."""
    if admin.site.is_registered(model):
        admin.site.unregister(model)
    admin.site.register(model, page)


_replace(Group, GroupAdmin)
_replace(EmailAddress, EmailAddressAdmin)
_replace(Authenticator, AuthenticatorAdmin)
_replace(UserSession, UserSessionAdmin)
