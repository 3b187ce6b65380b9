"""Tables of trading hours: local sessions and holidays, and the windows of absolute time made of them."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

DAY_MINUTES = 1_440


class MarketCalendar(models.Model):
    """The trading hours that symbols share, in the exchange's time zone."""

    name = models.CharField(max_length=60, unique=True)
    time_zone = models.CharField(max_length=60, help_text="such as America/New_York")
    exchange = models.CharField(
        max_length=12, blank=True, default="", help_text="code of the exchange whose holidays are fetched, such as XNYS"
    )
    windows_until_ms = models.BigIntegerField(default=0, editable=False)

    class Meta:
        db_table = "quotes_calendar"
        verbose_name = verbose_name_plural = "trading hours"
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class TradingSession(models.Model):
    """A weekly window in local minutes of its weekday; one that closes after minute 1440 crosses midnight."""

    class Weekday(models.IntegerChoices):
        """Days as Python counts them."""

        MONDAY = 0, "Monday"
        TUESDAY = 1, "Tuesday"
        WEDNESDAY = 2, "Wednesday"
        THURSDAY = 3, "Thursday"
        FRIDAY = 4, "Friday"
        SATURDAY = 5, "Saturday"
        SUNDAY = 6, "Sunday"

    calendar = models.ForeignKey(MarketCalendar, on_delete=models.CASCADE, related_name="sessions")
    weekday = models.SmallIntegerField(choices=Weekday.choices)
    opens_minute = models.SmallIntegerField()
    closes_minute = models.SmallIntegerField()

    class Meta:
        db_table = "quotes_session"
        ordering = ["weekday", "opens_minute"]
        constraints = [
            models.CheckConstraint(condition=Q(weekday__gte=0, weekday__lte=6), name="quotes_session_weekday"),
            models.CheckConstraint(
                condition=Q(opens_minute__gte=0, opens_minute__lt=DAY_MINUTES)
                & Q(closes_minute__gt=F("opens_minute"), closes_minute__lte=2 * DAY_MINUTES),
                name="quotes_session_minutes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_weekday_display()} {self.opens_minute} to {self.closes_minute}"


class Holiday(models.Model):
    """A local day on which sessions are cut to what is given here, or not held at all."""

    calendar = models.ForeignKey(MarketCalendar, on_delete=models.CASCADE, related_name="holidays")
    day = models.DateField()
    name = models.CharField(max_length=100)
    opens_minute = models.SmallIntegerField(null=True, blank=True, help_text="trading from this local minute on")
    closes_minute = models.SmallIntegerField(null=True, blank=True, help_text="trading until this local minute")
    imported = models.BooleanField(default=False, editable=False)

    class Meta:
        db_table = "quotes_holiday"
        ordering = ["day"]
        constraints = [
            models.UniqueConstraint(fields=["calendar", "day"], name="quotes_holiday_day"),
            models.CheckConstraint(
                condition=Q(opens_minute__isnull=True, closes_minute__isnull=True)
                | Q(opens_minute__isnull=False, closes_minute__isnull=False)
                & Q(opens_minute__gte=0, closes_minute__gt=F("opens_minute"), closes_minute__lte=DAY_MINUTES),
                name="quotes_holiday_minutes",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.name}"


class TradingWindow(models.Model):
    """One session as instants: what placement reads. Windows of one calendar in force never overlap.

    A window is never edited: a change of hours supersedes those that have not ended and makes new ones.
    """

    calendar = models.ForeignKey(MarketCalendar, on_delete=models.PROTECT, related_name="windows")
    opens_ms = models.BigIntegerField()
    closes_ms = models.BigIntegerField()
    made_at_ms = models.BigIntegerField()
    superseded_at_ms = models.BigIntegerField(null=True)

    class Meta:
        db_table = "quotes_trading_window"
        constraints = [
            models.CheckConstraint(condition=Q(closes_ms__gt=F("opens_ms")), name="quotes_window_forward"),
        ]
        indexes = [
            models.Index(
                fields=["calendar", "closes_ms"],
                condition=Q(superseded_at_ms__isnull=True),
                include=["opens_ms"],
                name="quotes_window_in_force",
            )
        ]

    def __str__(self) -> str:
        return f"{self.calendar_id}: {self.opens_ms} to {self.closes_ms}"


class CalendarChange(models.Model):
    """What a calendar became, when and by whom; rows never change."""

    calendar_name = models.CharField(max_length=60)
    at_ms = models.BigIntegerField()
    by_id = models.UUIDField(null=True)
    terms = models.JSONField()

    class Meta:
        db_table = "quotes_calendar_change"
        indexes = [models.Index(fields=["calendar_name", "-at_ms"], name="quotes_calendar_changes")]

    def __str__(self) -> str:
        return f"{self.calendar_name} at {self.at_ms}"
