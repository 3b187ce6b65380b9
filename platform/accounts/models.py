"""Tables of people, their tokens, and the trail of their access."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import F, Q
from django.db.models.functions import Length, Lower
from django.db.models.lookups import Exact

from accounts import hooks
from accounts.domain import LEDGERS, SCOPES
from accounts.limits import LIMITS, Act, LimitState, Loosening
from kernel.clock import wall_ms
from kernel.ids import uuid7


class UserManager(BaseUserManager["User"]):
    """Creates users; every way in passes here, so that no user lacks wallets or an event counter."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create a user and run the hooks of upper apps in one transaction."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        return self.enrol(user)

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> User:
        """Create an operator with every permission."""
        rights = {"is_staff": True, "is_superuser": True, "level": User.Level.EMAIL_VERIFIED}
        return self.create_user(email, password, **(rights | fields))

    def enrol(self, user: User) -> User:
        """Save a new user and let upper apps open what each user needs."""
        with transaction.atomic():
            user.save(force_insert=True)
            for opened in hooks.on_user_created:
                opened(user)
        return user

    def get_by_natural_key(self, username: str | None) -> User:
        """Find a user by e-mail, whatever its case."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    """A person who trades or operates; the e-mail is the log-in name."""

    class Level(models.IntegerChoices):
        """What has been verified about a user."""

        NONE = 0, "nothing"
        EMAIL_VERIFIED = 1, "e-mail"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    email = models.EmailField("e-mail", max_length=254, unique=True)
    country = models.CharField(max_length=2, blank=True, default="")
    level = models.SmallIntegerField(choices=Level.choices, default=Level.NONE)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at_ms = models.BigIntegerField(default=wall_ms, editable=False)
    banned_at_ms = models.BigIntegerField(null=True, blank=True, editable=False)
    ban_reason = models.CharField(max_length=500, blank=True, default="", editable=False)
    banned_until_ms = models.BigIntegerField(null=True, blank=True, editable=False)
    # The database refuses to bring these two forward before they have passed.
    excluded_until_ms = models.BigIntegerField(null=True, blank=True, editable=False)
    break_until_ms = models.BigIntegerField(null=True, blank=True, editable=False)
    # Whether any own limit has a value: placement reads limits only then.
    limits_set = models.BooleanField(default=False, editable=False)

    objects: ClassVar[UserManager] = UserManager()

    EMAIL_FIELD = "email"
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        constraints = [
            models.CheckConstraint(name="accounts_user_email_lower", condition=Q(email=Lower("email"))),
            models.CheckConstraint(
                name="accounts_user_country_code", condition=Q(country="") | Q(country__regex=r"^[A-Z]{2}$")
            ),
            models.CheckConstraint(name="accounts_user_level_known", condition=Q(level__gte=0)),
            models.CheckConstraint(
                name="accounts_user_ban_has_reason",
                condition=Q(banned_at_ms__isnull=True, ban_reason="")
                | Q(banned_at_ms__isnull=False) & ~Q(ban_reason=""),
            ),
            models.CheckConstraint(
                name="accounts_user_ban_ends_later",
                condition=Q(banned_until_ms__isnull=True)
                # A comparison with a missing value would let the row pass: what must be there is asked for.
                | Q(banned_at_ms__isnull=False, banned_until_ms__gt=F("banned_at_ms")),
            ),
        ]
        indexes = [
            models.Index(
                fields=["banned_until_ms"],
                condition=Q(banned_until_ms__isnull=False),
                name="accounts_user_ban_lapses",
            )
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def is_banned(self) -> bool:
        """Whether an operator has banned this user."""
        return self.banned_at_ms is not None


class ApiToken(models.Model):
    """A program's right to act for a user; only the hash of the secret is kept."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=100, blank=True, default="")
    prefix = models.CharField(max_length=12)
    secret_hash = models.BinaryField(max_length=32, unique=True, editable=False)
    scopes = ArrayField(models.CharField(max_length=16))
    ledgers = ArrayField(models.CharField(max_length=16), null=True, blank=True)
    ips = ArrayField(models.CharField(max_length=49), default=list, blank=True)
    created_at_ms = models.BigIntegerField()
    expires_at_ms = models.BigIntegerField(null=True, blank=True)
    revoked_at_ms = models.BigIntegerField(null=True, blank=True)
    last_used_at_ms = models.BigIntegerField(null=True, blank=True)
    # Minor units in any rolling 24 hours; null is no cap.
    stake_day_cap = models.BigIntegerField(null=True, blank=True)
    loss_day_cap = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = "API token"
        constraints = [
            models.CheckConstraint(
                name="accounts_apitoken_scopes_known",
                condition=Q(scopes__contained_by=list(SCOPES)) & Q(scopes__len__gt=0),
            ),
            models.CheckConstraint(
                name="accounts_apitoken_ledgers_known",
                condition=Q(ledgers__isnull=True) | Q(ledgers__contained_by=list(LEDGERS)) & Q(ledgers__len__gt=0),
            ),
            models.CheckConstraint(
                name="accounts_apitoken_expires_later",
                condition=Q(expires_at_ms__isnull=True) | Q(expires_at_ms__gt=F("created_at_ms")),
            ),
            models.CheckConstraint(name="accounts_apitoken_hash_size", condition=Exact(Length("secret_hash"), 32)),
            models.CheckConstraint(
                name="accounts_apitoken_caps_positive",
                condition=(Q(stake_day_cap__isnull=True) | Q(stake_day_cap__gt=0))
                & (Q(loss_day_cap__isnull=True) | Q(loss_day_cap__gt=0)),
            ),
        ]
        indexes = [models.Index(F("user"), F("id").desc(), name="accounts_apitoken_user_newest")]

    def __str__(self) -> str:
        return f"{self.prefix} {self.name}".strip()


class AccessTrail(models.Model):
    """Who came in, from where, with what; rows never change."""

    class Kind(models.TextChoices):
        """What happened at the door."""

        SIGN_UP = "sign_up", "signed up"
        LOG_IN = "log_in", "logged in"
        LOG_IN_FAILED = "log_in_failed", "log-in failed"

    user = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="access_trail")
    kind = models.CharField(max_length=16, choices=Kind.choices)
    ip = models.GenericIPAddressField(null=True)
    country = models.CharField(max_length=2, blank=True, default="")
    user_agent = models.CharField(max_length=300, blank=True, default="")
    at_ms = models.BigIntegerField()

    class Meta:
        verbose_name = "access"
        verbose_name_plural = "access trail"
        constraints = [
            models.CheckConstraint(
                name="accounts_accesstrail_kind_known",
                condition=Q(kind__in=["sign_up", "log_in", "log_in_failed"]),
            ),
        ]
        indexes = [
            models.Index(F("user"), F("at_ms").desc(), name="accounts_trail_user_newest"),
            models.Index(F("ip"), F("at_ms").desc(), name="accounts_trail_ip_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.ip or 'unknown address'}"


class Consent(models.Model):
    """A user's consent to one version of a document; rows never change."""

    class Document(models.TextChoices):
        """What was consented to."""

        TERMS = "terms", "terms of service"
        RISK_WARNING = "risk_warning", "risk warning"

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="consents")
    document = models.CharField(max_length=16, choices=Document.choices)
    version = models.CharField(max_length=32)
    at_ms = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="accounts_consent_once", fields=["user", "document", "version"]),
            models.CheckConstraint(
                name="accounts_consent_document_known", condition=Q(document__in=["terms", "risk_warning"])
            ),
            models.CheckConstraint(name="accounts_consent_version_given", condition=~Q(version="")),
        ]

    def __str__(self) -> str:
        return f"{self.document} {self.version}"


class Ban(models.Model):
    """One ban of a user, for ever; the newest that is not lifted is in force."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="bans", db_index=False)
    reason = models.CharField(max_length=500)
    from_ms = models.BigIntegerField()
    until_ms = models.BigIntegerField(null=True)
    by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    with_referrals = models.BooleanField(default=False)
    lifted_at_ms = models.BigIntegerField(null=True)
    lifted_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="accounts_ban_one_in_force", fields=["user"], condition=Q(lifted_at_ms__isnull=True)
            ),
            models.CheckConstraint(name="accounts_ban_reason_given", condition=~Q(reason="")),
            models.CheckConstraint(
                name="accounts_ban_ends_later", condition=Q(until_ms__isnull=True) | Q(until_ms__gt=F("from_ms"))
            ),
            models.CheckConstraint(
                name="accounts_ban_lifted_by_needs_lifting",
                condition=Q(lifted_by__isnull=True) | Q(lifted_at_ms__isnull=False),
            ),
        ]
        indexes = [models.Index(F("user"), F("id").desc(), name="accounts_ban_user_newest")]

    def __str__(self) -> str:
        return self.reason


class Limit(models.Model):
    """One own limit of a user: minor units of the real wallet's currency, a count, or minutes.

    ``pending_from_ms`` is the instant from which a loosening can be confirmed.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="limits", db_index=False)
    name = models.CharField(max_length=16, choices=[(name, name) for name in LIMITS])
    value = models.BigIntegerField(null=True)
    set_at_ms = models.BigIntegerField()
    pending_value = models.BigIntegerField(null=True)
    pending_none = models.BooleanField(default=False)
    pending_from_ms = models.BigIntegerField(null=True)

    class Meta:
        verbose_name = "own limit"
        constraints = [
            models.UniqueConstraint(name="accounts_limit_once", fields=["user", "name"]),
            models.CheckConstraint(name="accounts_limit_name_known", condition=Q(name__in=list(LIMITS))),
            models.CheckConstraint(name="accounts_limit_positive", condition=Q(value__isnull=True) | Q(value__gt=0)),
            models.CheckConstraint(
                name="accounts_limit_loosening",
                condition=Q(pending_value__isnull=True, pending_none=False, pending_from_ms__isnull=True)
                | Q(value__isnull=False, pending_from_ms__isnull=False)
                & (
                    Q(pending_none=True, pending_value__isnull=True)
                    | Q(pending_none=False, pending_value__isnull=False, pending_value__gt=F("value"))
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.value}"

    @property
    def state(self) -> LimitState:
        """Return the value and the loosening, lapsed or not."""
        if self.pending_from_ms is None:
            return LimitState(self.value)
        return LimitState(self.value, Loosening(self.pending_value, self.pending_from_ms))

    @state.setter
    def state(self, state: LimitState) -> None:
        waits = state.loosening
        self.value = state.value
        self.pending_value = None if waits is None else waits.value
        self.pending_none = waits is not None and waits.value is None
        self.pending_from_ms = None if waits is None else waits.from_ms


class LimitChange(models.Model):
    """What became of a user's own limits, breaks and exclusions; rows never change.

    For breaks and exclusions the values are their ends in Unix milliseconds.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="limit_changes", db_index=False)
    name = models.CharField(max_length=16)
    act = models.CharField(max_length=20, choices=[(act.value, act.value.replace("_", " ")) for act in Act])
    old_value = models.BigIntegerField(null=True)
    new_value = models.BigIntegerField(null=True)
    confirm_from_ms = models.BigIntegerField(null=True)
    at_ms = models.BigIntegerField()

    class Meta:
        db_table = "accounts_limit_change"
        verbose_name = "change of own limits"
        verbose_name_plural = "changes of own limits"
        constraints = [
            models.CheckConstraint(
                name="accounts_limit_change_name_known", condition=Q(name__in=[*LIMITS, "break", "exclusion"])
            ),
        ]
        indexes = [models.Index(F("user"), F("id").desc(), name="accounts_limit_change_newest")]

    def __str__(self) -> str:
        return f"{self.name} {self.act}"


class DevMail(models.Model):
    """A mail kept instead of sent; filled in development only."""

    to = models.CharField(max_length=254)
    subject = models.CharField(max_length=998)
    body = models.TextField()
    at_ms = models.BigIntegerField()

    class Meta:
        verbose_name = "development mail"

    def __str__(self) -> str:
        return f"{self.to}: {self.subject}"


class CountryPolicy(models.Model):
    """What clients of a country may not do here; countries without a row are allowed everything."""

    country = models.CharField(max_length=2, primary_key=True, help_text="two letters, such as DE")
    orders_refused = models.BooleanField(default=False, help_text="no new orders; open ones settle as always")
    bonus_refused = models.BooleanField(default=False, help_text="no bonuses and promotions")
    note = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        verbose_name = "country policy"
        verbose_name_plural = "country policies"
        ordering = ["country"]
        constraints = [
            models.CheckConstraint(name="accounts_countrypolicy_code", condition=Q(country__regex=r"^[A-Z]{2}$"))
        ]

    def __str__(self) -> str:
        return self.country
