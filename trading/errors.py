"""Refusals of orders; codes are those of the API guide."""

from __future__ import annotations

from collections.abc import Callable

from kernel.clock import rfc3339
from kernel.errors import Problem
from kernel.money import format_minor, format_scaled


class DisputeStateError(Exception):
    """A dispute is open already, or closed already."""


def account_banned() -> Problem:
    """Return the refusal of a banned account."""
    return Problem("account.banned", status=403, title="This account is banned.")


def account_excluded() -> Problem:
    """Return the refusal during self-exclusion."""
    return Problem("account.excluded", status=403, title="You have excluded yourself from trading.")


def account_on_break() -> Problem:
    """Return the refusal during a break."""
    return Problem("account.on_break", status=403, title="You are on a break from trading.")


def account_unverified() -> Problem:
    """Return the refusal of real orders before the e-mail address is verified."""
    return Problem("account.unverified", status=403, title="Verify your e-mail address to trade real money.")


def account_jurisdiction() -> Problem:
    """Return the refusal of clients from a country that may not trade here."""
    return Problem("account.jurisdiction", status=403, title="Orders from your country are not accepted.")


def wallet_not_tradable() -> Problem:
    """Return the refusal outside the dates of a wallet."""
    return Problem("wallet.not_tradable", status=422, title="This wallet cannot trade now, or not until that expiry.")


def wallet_symbol_not_allowed() -> Problem:
    """Return the refusal of a symbol that the wallet may not trade."""
    return Problem("wallet.symbol_not_allowed", status=422, title="This wallet may not trade that symbol.")


def insufficient_funds() -> Problem:
    """Return the refusal of a stake above the balance."""
    return Problem("wallet.insufficient_funds", status=422, title="The balance does not cover the stake.")


def symbol_unknown() -> Problem:
    """Return the refusal of a symbol that does not exist."""
    return Problem("symbol.unknown", status=422, title="There is no such symbol.")


def symbol_not_offered(ledger: str) -> Problem:
    """Return the refusal of a symbol on a ledger."""
    return Problem("symbol.not_offered", status=422, title=f"This symbol is not offered on the {ledger} ledger.")


def direction_invalid() -> Problem:
    """Return the refusal of a direction that is neither up nor down."""
    return Problem("order.direction.invalid", status=400, title="The direction must be up or down.")


def stake_precision(currency: str) -> Problem:
    """Return the refusal of a stake finer than its currency."""
    return Problem("order.stake.precision", status=422, title=f"The stake has more decimals than {currency} has.")


def stake_below_minimum(least: int, currency: str) -> Problem:
    """Return the refusal of a stake that is too small."""
    return Problem(
        "order.stake.below_minimum",
        status=422,
        title="The stake is below the minimum.",
        detail=f"The minimum is {format_minor(least, currency)} {currency}.",
    )


def stake_above_maximum(most: int, currency: str) -> Problem:
    """Return the refusal of a stake that is too large."""
    return Problem(
        "order.stake.above_maximum",
        status=422,
        title="The stake is above the maximum.",
        detail=f"The maximum is {format_minor(most, currency)} {currency}.",
    )


def duration_out_of_range(least_s: int, most_s: int) -> Problem:
    """Return the refusal of an expiry that is too near or too far."""
    return Problem(
        "order.duration.out_of_range",
        status=422,
        title="The expiry is out of range.",
        detail=f"Orders on this symbol last {least_s} s to {most_s} s.",
    )


def expiry_outside_session(closes_ms: int) -> Problem:
    """Return the refusal of an expiry after the end of the session that is held now."""
    return Problem(
        "order.expiry.outside_session",
        status=422,
        title="The market closes before that expiry.",
        detail=f"The session ends at {rfc3339(closes_ms)}.",
    )


def expiry_past_deadline(deadline_s: int) -> Problem:
    """Return the refusal of a clock time that is too near."""
    return Problem(
        "order.expiry.past_deadline",
        status=422,
        title="It is too late for that expiry.",
        detail=f"Orders for a clock time are taken until {deadline_s} s before it.",
    )


def exposure_reached(symbol: str) -> Problem:
    """Return the refusal of more stake in a direction that the platform's cap leaves no room for."""
    return Problem(
        "exposure.symbol",
        status=422,
        title="The platform takes no more stake in this direction now.",
        detail=f"The cap of {symbol} is the same for everybody; smaller stakes may still fit.",
    )


def payout_moved(percent: int) -> Problem:
    """Return the refusal of a payout below what the client accepts."""
    return Problem(
        "order.payout_moved", status=422, title="The payout is below your minimum.", detail=f"It is {percent} %."
    )


def price_moved(price: int, scale: int) -> Problem:
    """Return the refusal of an opening price too far from what the client expects."""
    return Problem(
        "order.price_moved",
        status=422,
        title="The price moved further than you allow.",
        detail=f"It is {format_scaled(price, scale)}.",
    )


def client_order_id_reused() -> Problem:
    """Return the refusal of an id that names an order with other terms."""
    return Problem(
        "order.client_order_id.reused", status=422, title="This client_order_id names an order with other terms."
    )


def order_busy() -> Problem:
    """Return the answer when the wallet stayed locked too long; nothing has happened."""
    return Problem(
        "order.busy",
        status=503,
        title="Your wallet is busy; send the same order again.",
        retry_after_s=1,
    )


def signal_stale() -> Problem:
    """Return the refusal of an order that comes after the last instant at which it was wanted."""
    return Problem("signal.stale", status=422, title="The order came too late to be wanted.")


def ledger_forbidden() -> Problem:
    """Return the refusal of a token on a ledger it is not bound to."""
    return Problem("auth.ledger", status=403, title="This token may not act on that ledger.")


def _market(code: str, title: str) -> Callable[[str], Problem]:
    return lambda reason: Problem(code, status=422, title=title, detail=reason)


# By market state: why no order is taken now.
MARKET_REFUSALS: dict[str, Callable[[str], Problem]] = {
    "closed": _market("market.closed", "The market is closed."),
    "halted": _market("market.halted", "The market is halted."),
    "close_only": _market("market.close_only", "The market takes no new orders."),
    "stale": _market("market.stale", "The price is delayed; no orders are taken until it moves again."),
}
