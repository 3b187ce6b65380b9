"""Every code that a client of the bridge can be told, its meaning and what to do: the source of ``docs/ea/codes.md``.

A test compares the table with what the code can say, so a new code has to be explained here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ea.codes import RejectCode


@dataclass(frozen=True, slots=True)
class Said:
    """What a code means, and what its receiver does about it."""

    meaning: str
    remedy: str


_R = RejectCode
# Not logged: by these alone a client decides whether it drops what it sent.
REJECTS: Mapping[RejectCode, Said] = {
    _R.BAD_FRAME: Said(
        "a length out of range, a binary message, an alert that is too long; the connection ends",
        "mend the framing; send less",
    ),
    _R.BAD_JSON: Said("no JSON in UTF-8", "mend what builds the payload"),
    _R.SCHEMA: Said(
        "a member is missing, unknown, or not of its form", "read `detail`; compare with [schema.json](schema.json)"
    ),
    _R.UNSUPPORTED_VERSION: Said("another major version than the server's", "update the client"),
    _R.BAD_SIG: Said(
        "the signature does not hold, or the nonce, the time or the secret in an alert is wrong; the connection ends",
        "sign the exact bytes with the secret of this key; copy the secret again; set the clock",
    ),
    _R.UNKNOWN_KEY: Said("there is no such key of this installation", "copy the key again"),
    _R.KEY_REVOKED: Said("the key was revoked, has run out, or is not in force yet", "get a new key"),
    _R.IP_DENIED: Said("the key may not be used from this address", "add the address, or connect from a named one"),
    _R.ACCT_MISMATCH: Said(
        "the key belongs to another account or trade server; the connection ends", "use the key of this account"
    ),
    _R.ID_CONFLICT: Said(
        "the `event_id`, or the `id` of an alert, was logged with other bytes, or the `seq` belongs to another event",
        "send the same bytes again, or give a new event a new id and number",
    ),
    _R.SEQ_GAP: Said("a number in front of this one is missing", "send again from the number that `resync` names"),
    _R.RATE_LIMITED: Said("too many at once", "send again after `retry_after_ms`, the oldest first"),
    _R.OVERLOADED: Said("the log cannot be written now", "send again after `retry_after_ms`, the oldest first"),
    _R.INTERNAL: Said("a fault of the server, which is on record there", "send again after `retry_after_ms`"),
}

_WAIT_FOR_RESULTS = "wait for results, or stake less"
_RESET = "its owner looks at it, and resets it with a reason"
# Logged, and never placed: an order frame with the state ``denied``.
DENIALS: Mapping[str, Said] = {
    "signal.stale": Said(
        "its time had run out before it could become an order", "shorten the way, set the clock, or raise `valid_ms`"
    ),
    "signal.clock": Said("the client's clock is more than a minute off", "set the clock"),
    "signal.currency": Said("the stake's currency is not the wallet's", "leave the currency out, or name the wallet's"),
    "signal.bad_json": Said("what was logged cannot be read any more", "tell the operator; make a new signal"),
    "signal.schema": Said("what was logged is not of today's schema", "update the client; make a new signal"),
    "signal.unsupported_version": Said("what was logged is of another version", "update the client"),
    "symbol.unknown": Said(
        "no rule knows this name of a symbol", "name it: it waits among the unknown symbols of the installation"
    ),
    "action.unsupported": Said(
        "own ledgers know `open` with a stake in money or percent only", "send an `open`, without lots"
    ),
    "auth.scope": Said("the key gives no signals", "use a key with the scope `source`"),
    "auth.ledger": Said("the key may not trade on this ledger", "choose another ledger, or a key that may"),
    "route.unknown": Said("there is no target of this name", "name `real`, `demo` or `tournament`"),
    "wallet.unknown": Said("there is no such wallet", "name a wallet of the key's owner"),
    "risk.halted": Said("trading of this place is halted", "wait until it is active again"),
    "risk.reducing": Said("this place takes no openings", "wait until it is active again"),
    "risk.stake_min": Said("the stake is below the installation's least", "stake more"),
    "risk.stake_max": Said("the stake is above the installation's most", "stake less"),
    "risk.stake_step": Said("the stake is no multiple of the installation's step", "round it"),
    "risk.balance_percent": Said("the stake is too large a share of the balance", "stake less"),
    "risk.open_strategy": Said("too much is open of this strategy", _WAIT_FOR_RESULTS),
    "risk.open_symbol": Said("too much is open on this symbol", _WAIT_FOR_RESULTS),
    "risk.open_currency": Said("too much is open on symbols of this currency", _WAIT_FOR_RESULTS),
    "risk.open_direction": Said("too much is open in this direction", _WAIT_FOR_RESULTS),
    "risk.desk": Said("too much is open of all the owner's installations", _WAIT_FOR_RESULTS),
    "risk.correlated": Said("too much lies on one currency, calls against puts", _WAIT_FOR_RESULTS),
    "risk.same_expiry": Said("too much expires at about the same time", "choose another expiry"),
    "risk.open_options": Said("too many orders are open", _WAIT_FOR_RESULTS),
    "risk.orders_per_minute": Said("too many orders of this key in a minute", "wait"),
    "risk.loss_day": Said("the stop for losses of a day holds", _RESET),
    "risk.loss_week": Said("the stop for losses of a week holds", _RESET),
    "risk.loss_month": Said("the stop for losses of a month holds", _RESET),
    "risk.drawdown": Said("the stop for the fall from the highest point holds", _RESET),
    "risk.cool_down": Said("the strategy pauses after losses in a row", "wait"),
    "risk.martingale": Said("the stake has grown too much after a loss", "stake less"),
    "risk.min_payout": Said("the symbol pays less than the installation's least", "try later"),
    "risk.price_drift": Said("the market is too far from `ref_price`, or there is none", "make a new signal"),
    "risk.news": Said("a window of news is open", "wait for its end"),
}

# Placement said no: an order frame with the state ``rejected``. The same codes answer orders of the terminal.
REFUSALS: Mapping[str, Said] = {
    "account.banned": Said("the account is banned", "ask the operator"),
    "account.excluded": Said("the owner has excluded themself from trading", "wait for its end"),
    "account.on_break": Said("the owner is on a break", "wait for its end"),
    "account.unverified": Said("the account must be verified first", "verify it"),
    "account.jurisdiction": Said("the platform does not serve the owner's country on this ledger", "use demo"),
    "wallet.not_tradable": Said("the wallet takes no orders", "choose another"),
    "wallet.symbol_not_allowed": Said("the wallet does not trade this symbol", "choose another symbol"),
    "wallet.insufficient_funds": Said("the balance is below the stake", "stake less"),
    "symbol.not_offered": Said("the symbol is not offered on this ledger", "see `GET /ea/v1/symbols`"),
    "order.direction.invalid": Said("the direction is neither up nor down", "send `call` or `put`"),
    "order.stake.precision": Said("the stake has more decimals than the currency", "round it down"),
    "order.stake.below_minimum": Said("the stake is too small", "see `min_stake`"),
    "order.stake.above_maximum": Said("the stake is too large", "see `max_stake`"),
    "order.duration.out_of_range": Said("the option is too short or too long", "see `min_duration_s`"),
    "order.expiry.outside_session": Said("it would expire outside of trading hours", "choose an earlier expiry"),
    "order.expiry.past_deadline": Said("it is too late for this expiry", "choose a later expiry"),
    "order.payout_moved": Said("the payout is below `min_payout`", "try later, or ask for less"),
    "order.price_moved": Said("the price has moved by more than `max_drift`", "make a new signal"),
    "order.client_order_id.reused": Said("another order has this event's id", "tell the operator"),
    "market.closed": Said("outside of trading hours", "see `next_open`"),
    "market.halted": Said("the operator has halted the symbol for everybody", "wait"),
    "market.close_only": Said("the symbol takes no new orders", "wait"),
    "market.stale": Said("there are no fresh prices", "make a new signal a little later"),
    "exposure.symbol": Said("the cap of the symbol, the same for everybody, is reached", "stake less, or wait"),
    "limit.loss_day": Said("the owner's own limit of losses in a day", "wait"),
    "limit.loss_7d": Said("the owner's own limit of losses in seven days", "wait"),
    "limit.loss_30d": Said("the owner's own limit of losses in thirty days", "wait"),
    "limit.stake_day": Said("the owner's own limit of stakes in a day", "wait"),
    "limit.open_orders": Said("the owner's own limit of open orders", "wait for results"),
    "limit.session": Said("the owner's own limit of time", "wait"),
    "request.invalid": Said("the terms are not of the form that orders have", "compare with the API guide"),
}

RESULTS: Mapping[str, Said] = {
    "won": Said("the price went the chosen way", "`payout` was paid, stake included"),
    "lost": Said("it went the other way", "nothing was paid"),
    "tied": Said("it stood where it was at the opening", "`payout` was paid as the rules say"),
    "refunded": Said("there was no evidence to settle by", "the stake was given back"),
}

_HEAD = """# Codes of the bridge

Made from [`ea/code_table.py`](../../ea/code_table.py) by `manage.py export_ea`; a test holds it against the code. The
forms of all frames are in [schema.json](schema.json), the talk is in [protocol.md](protocol.md).
"""


def codes_document() -> str:
    """Return the table of all codes as a page."""
    rejects = [(code.value, "yes" if code.final else "no", said) for code, said in REJECTS.items()]
    parts = [
        _HEAD,
        "## `reject`: the frame was not logged\n\nA final code: drop the event. Else send the same bytes again.\n",
        _table(rejects),
    ]
    for title, rows in (
        ("## `order`, state `denied`: logged, and held back by the bridge", DENIALS),
        ("## `order`, state `rejected`: refused by placement", REFUSALS),
        ("## `order`, state `settled`: results", RESULTS),
    ):
        parts += [f"{title}\n", _table([(code, "yes", said) for code, said in rows.items()])]
    return "\n".join(parts)


def _table(rows: list[tuple[str, str, Said]]) -> str:
    lines = ["| code | final | meaning | what to do |", "|---|---|---|---|"]
    lines += [f"| `{code}` | {final} | {said.meaning} | {said.remedy} |" for code, final, said in rows]
    return "\n".join(lines) + "\n"
