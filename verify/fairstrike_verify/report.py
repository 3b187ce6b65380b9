"""What was checked and what came of it, in plain words."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What a check found."""

    OK = "ok"
    FAILED = "FAILED"
    PENDING = "pending"
    NOTE = "note"


class Verdict(StrEnum):
    """What all checks come to."""

    VERIFIED = "verified"
    FAILED = "failed"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Line:
    """One check of one file."""

    file: str
    outcome: Outcome
    words: str


@dataclass(slots=True)
class Report:
    """All checks, in the order in which they were made; ``development`` when a development key signed."""

    lines: list[Line] = field(default_factory=list)
    development: bool = False

    @property
    def verdict(self) -> Verdict:
        """``failed`` if one check failed, else ``pending`` if something cannot be proven yet, else ``verified``."""
        found = {line.outcome for line in self.lines}
        if Outcome.FAILED in found or Outcome.OK not in found:
            return Verdict.FAILED
        return Verdict.PENDING if Outcome.PENDING in found else Verdict.VERIFIED

    def on(self, file: str) -> Checks:
        """Return where the checks of a file are written down."""
        return Checks(self, file)


@dataclass(slots=True)
class Checks:
    """The checks of one file."""

    report: Report
    file: str

    def ok(self, words: str) -> None:
        """Write down that something holds."""
        self._add(Outcome.OK, words)

    def failed(self, words: str) -> None:
        """Write down that something does not hold."""
        self._add(Outcome.FAILED, words)

    def pending(self, words: str) -> None:
        """Write down that something cannot be proven yet."""
        self._add(Outcome.PENDING, words)

    def note(self, words: str) -> None:
        """Write down what a reader should know and no check decides."""
        self._add(Outcome.NOTE, words)

    def development_key(self) -> None:
        """Say loudly that a development key signed."""
        self.report.development = True
        self.note(
            "ATTENTION: this is a DEVELOPMENT key that the platform made for itself: it proves nothing about who signed"
        )

    def all_of(self, words: str, faults: list[str]) -> bool:
        """Write down that something holds, or each fault that was found; return whether it holds."""
        for fault in faults[:10]:
            self.failed(fault)
        if len(faults) > 10:
            self.failed(f"and {len(faults) - 10} more of this kind")
        if not faults:
            self.ok(words)
        return not faults

    def _add(self, outcome: Outcome, words: str) -> None:
        # Words can quote a hostile file: no control character reaches a terminal.
        shown = "".join(sign if sign.isprintable() else "?" for sign in words)
        self.report.lines.append(Line(self.file, outcome, shown[:500]))
