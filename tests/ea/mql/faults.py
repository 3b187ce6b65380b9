"""What a server can do to its clients, switched on by tests."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refusal:
    """A reject that the next signal gets, whatever it is."""

    code: str
    final: bool
    retry_after_ms: int = 0


@dataclass
class Faults:
    """Switches; numbers count down as they are used.

    :ivar cuts_unlogged: so many signals are lost with the link, before they are logged
    :ivar cuts_logged: so many are logged, and the link is lost before the acknowledgement
    :ivar half_frames: so many acknowledgements stop half-way, and the link with them
    :ivar slow_halves: so many acknowledgements come in two pieces, with a pause between
    :ivar double_acks: acknowledge everything twice
    :ivar raw: bytes that go out instead of the next acknowledgements, as they are
    :ivar refusals: rejects for the next signals, in order
    :ivar hello_refusals: rejects for the next hellos
    :ivar silent: read, and say nothing
    :ivar deaf: so many requests over HTTP are cut before anything is read from them
    """

    cuts_unlogged: int = 0
    cuts_logged: int = 0
    half_frames: int = 0
    slow_halves: int = 0
    double_acks: bool = False
    ack_delay_s: float = 0.0
    raw: list[bytes] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    hello_refusals: list[Refusal] = field(default_factory=list)
    welcome_seq_extra: int = 0
    silent: bool = False
    deaf: int = 0
    http_status: int = 0

    def used(self, name: str) -> bool:
        """Whether a counted fault is due; it is then one less."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0
