"""Stable codes of what the bridge answers to a frame that it never logged, and what a client does about each."""

from __future__ import annotations

from enum import StrEnum


class RejectCode(StrEnum):
    """Why a frame was not logged; stable names, listed in the guide for authors of Expert Advisors."""

    BAD_FRAME = "bad_frame"
    BAD_JSON = "bad_json"
    SCHEMA = "schema"
    UNSUPPORTED_VERSION = "unsupported_version"
    BAD_SIG = "bad_sig"
    UNKNOWN_KEY = "unknown_key"
    KEY_REVOKED = "key_revoked"
    IP_DENIED = "ip_denied"
    ACCT_MISMATCH = "acct_mismatch"
    ID_CONFLICT = "id_conflict"
    SEQ_GAP = "seq_gap"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    INTERNAL = "internal"

    @property
    def final(self) -> bool:
        """Whether the same bytes can never be accepted, so that the client drops them; else it sends them again."""
        return self not in RETRIED


RETRIED = frozenset({RejectCode.SEQ_GAP, RejectCode.RATE_LIMITED, RejectCode.OVERLOADED, RejectCode.INTERNAL})


class Rejected(Exception):
    """A frame is not accepted; nothing was logged.

    :param detail: for people who write Expert Advisors; never a secret
    """

    def __init__(self, code: RejectCode, detail: str = "", *, event_id: str | None = None, seq: int = 0) -> None:
        super().__init__(code.value)
        self.code = code
        self.detail = detail
        self.event_id = event_id
        self.seq = seq
