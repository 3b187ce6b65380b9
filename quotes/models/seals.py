"""Tables of what fixes the log: seals, where their heads were told, and the archives made of them. Append-only."""

from __future__ import annotations

from django.contrib.postgres.indexes import BrinIndex
from django.db import models

from quotes.models.symbols import Symbol


class Seal(models.Model):
    """The ticks of a symbol in one UTC minute, fixed by a Merkle root and chained to the symbol's seal before.

    The database refuses a row that does not follow the newest one of its symbol.
    """

    symbol = models.ForeignKey(Symbol, on_delete=models.PROTECT, related_name="seals", db_index=False)
    minute_ms = models.BigIntegerField()
    count = models.IntegerField()
    first_seq = models.BigIntegerField()
    root = models.BinaryField()
    previous_head = models.BinaryField()
    head = models.BinaryField()
    sealed_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "quotes_seal"
        constraints = [
            models.UniqueConstraint(fields=["symbol", "minute_ms"], name="quotes_seal_minute"),
            models.UniqueConstraint(fields=["symbol", "first_seq"], name="quotes_seal_first_seq"),
        ]
        # Seals come in the order of their making: those of the last hour are found without an index of each row.
        indexes = [BrinIndex(fields=["sealed_at_ms"], name="quotes_seal_made", pages_per_range=16)]

    def __str__(self) -> str:
        return f"{self.symbol_id} at {self.minute_ms}"


class HeadPublication(models.Model):
    """How far the heads have left the database, for each place they go to."""

    target = models.CharField(max_length=40, primary_key=True)
    seal_id = models.BigIntegerField(default=0, help_text="the newest seal whose head has arrived there")
    published_at_ms = models.BigIntegerField(null=True)
    failures = models.BigIntegerField(default=0, help_text="attempts that failed, ever")
    failed_at_ms = models.BigIntegerField(null=True)
    error = models.CharField(max_length=200, blank=True, default="")

    class Meta:
        db_table = "quotes_head_publication"

    def __str__(self) -> str:
        return f"{self.target} at {self.seal_id}"


class DayArchive(models.Model):
    """The text archive of a symbol and an ended UTC day, as its file was written; it never changes."""

    day = models.DateField()
    symbol = models.ForeignKey(Symbol, on_delete=models.PROTECT, related_name="day_archives")
    path = models.CharField(max_length=300, help_text="below the archive's directory")
    bytes = models.BigIntegerField(help_text="of the text")
    sha256 = models.CharField(max_length=64, help_text="of the text")
    seals = models.IntegerField()
    ticks = models.BigIntegerField()
    previous_head = models.BinaryField()
    last_head = models.BinaryField()
    root = models.BinaryField()
    written_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "quotes_day_archive"
        constraints = [models.UniqueConstraint(fields=["day", "symbol"], name="quotes_day_archive_once")]

    def __str__(self) -> str:
        return f"{self.symbol_id} of {self.day}"


class DayManifest(models.Model):
    """The signed list of an ended day's archives, byte for byte as it is published; a day that has one is complete."""

    day = models.DateField(primary_key=True)
    document = models.TextField()
    made_at_ms = models.BigIntegerField()

    class Meta:
        db_table = "quotes_day_manifest"

    def __str__(self) -> str:
        return str(self.day)
