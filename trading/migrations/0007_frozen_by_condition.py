"""Whether an order may change is asked by the trigger's condition; its function is called only to refuse.

The rule is that of 0004 and 0006. A condition costs a fraction of a call, and settlement changes every order once.
"""

from importlib import import_module

from django.db import migrations

_TERMS = (
    "id", "client_order_id", "user_id", "wallet_id", "book", "currency", "source", "token_id", "asked",
    "symbol_id", "symbol", "direction", "stake", "payout_percent", "entry_rule", "settlement_rule",
    "max_tick_age_ms", "revision", "price_scale", "custom", "accepted_at_ms", "expires_at_ms",
    "session_closes_ms", "expected_price", "max_price_drift", "entry_after_seq", "entry_after_ms",
    "entry_until_ms", "handled_us",
)
_OPENING = ("open_seq", "open_at_ms", "open_price", "entered_at_ms")


def _differ(columns: tuple[str, ...]) -> str:
    new, old = (", ".join(f"{row}.{column}" for column in columns) for row in ("NEW", "OLD"))
    return f"ROW({new}) IS DISTINCT FROM ROW({old})"


FORWARD = f"""
DROP TRIGGER trading_order_frozen ON trading_order;
CREATE OR REPLACE FUNCTION trading_order_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'an order is never deleted' USING ERRCODE = 'restrict_violation';
    ELSIF OLD.state <> 'open' THEN
        RAISE EXCEPTION 'order % is settled', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RAISE EXCEPTION 'the terms of order % are frozen', OLD.id USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER trading_order_frozen BEFORE UPDATE ON trading_order FOR EACH ROW WHEN (
    OLD.state <> 'open' OR {_differ(_TERMS)} OR (OLD.open_price IS NOT NULL AND {_differ(_OPENING)}))
    EXECUTE FUNCTION trading_order_frozen();
CREATE TRIGGER trading_order_kept BEFORE DELETE ON trading_order
    FOR EACH ROW EXECUTE FUNCTION trading_order_frozen();
"""
BACKWARD = f"""
DROP TRIGGER trading_order_kept ON trading_order;
DROP TRIGGER trading_order_frozen ON trading_order;
{import_module("trading.migrations.0006_execution").FREEZES_IT}
CREATE TRIGGER trading_order_frozen BEFORE UPDATE OR DELETE ON trading_order
    FOR EACH ROW EXECUTE FUNCTION trading_order_frozen();
"""


class Migration(migrations.Migration):
    dependencies = [("trading", "0006_execution")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
