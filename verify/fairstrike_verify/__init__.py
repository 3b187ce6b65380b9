"""Check receipts and tick archives of a Fairstrike platform, without it and without a network.

``verify(["receipt.json", "EURUSD.txt.gz"], keys="keys.json").verdict`` is the whole of it; the formats are fixed in
docs/fairness/formats.md. Only the standard library is needed, Python 3.11 or newer.
"""

from __future__ import annotations

from fairstrike_verify.files import Source
from fairstrike_verify.report import Line, Outcome, Report, Verdict
from fairstrike_verify.verification import verify

__all__ = ["Line", "Outcome", "Report", "Source", "Verdict", "verify"]
