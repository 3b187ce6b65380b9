"""The command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from fairstrike_verify.report import Line, Report, Verdict
from fairstrike_verify.verification import verify

_EXIT_CODES = {Verdict.VERIFIED: 0, Verdict.FAILED: 1, Verdict.PENDING: 3}
_WORDS = {
    Verdict.VERIFIED: "VERIFIED: everything that was given holds. The results follow from the published log.",
    Verdict.FAILED: "FAILED: not everything holds; see the lines above.",
    Verdict.PENDING: "NOT PROVEN YET: nothing is wrong, but not everything can be proven yet; see the lines above.",
}
_ABOUT = """Check receipts and tick archives of a Fairstrike platform, without it and without a network.
Each file is recognised by its content, also when it is compressed with gzip."""
_ENDS = """Ends with 0 when everything that was given verifies, 1 when anything fails, 2 when it was called wrongly,
3 when nothing fails but something cannot be proven yet."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify the files that are named, say in words what came of it, and return the exit code."""
    parser = argparse.ArgumentParser(prog="fairstrike-verify", description=_ABOUT, epilog=_ENDS)
    parser.add_argument("files", nargs="+", metavar="FILE", help="receipts and archives")
    parser.add_argument("--keys", help="the platform's keys, saved from /api/v1/fairness/keys")
    parser.add_argument("--heads", help="a log of heads that you or somebody you trust kept")
    parser.add_argument("--manifest", help="a day's manifest, saved from /api/v1/fairness/archives/DAY")
    asked = parser.parse_args(arguments)
    report = verify(asked.files, keys=asked.keys, heads=asked.heads, manifest=asked.manifest)
    try:
        _show(report)
    except BrokenPipeError:
        # Whoever read along has gone; Python would complain once more when it ends.
        sys.stdout = None
    return _EXIT_CODES[report.verdict]


def _show(report: Report) -> None:
    # A terminal that cannot show a sign gets a question mark instead of a fault.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")
    files: dict[str, list[Line]] = {}
    for line in report.lines:
        files.setdefault(line.file, []).append(line)
    for file, lines in files.items():
        sys.stdout.write(f"{file}\n")
        sys.stdout.writelines(f"  {line.outcome:<8}{line.words}\n" for line in lines)
    sys.stdout.write(f"\n{_WORDS[report.verdict]}\n")
    if report.development:
        sys.stdout.write("ATTENTION: a DEVELOPMENT key signed. Nobody vouches for it.\n")
    sys.stdout.flush()
