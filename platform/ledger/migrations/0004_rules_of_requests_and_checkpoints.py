"""What the tables of requests, adjustments and checkpoints refuse by themselves."""

from django.db import migrations

FORWARD = """
-- What a second person approves is the row itself: account, amount, reason code and note, in that order.
ALTER TABLE ledger_adjustment_request ADD CONSTRAINT ledger_request_hash CHECK (
    payload_hash = sha256(convert_to(
        account_id::text || '|' || amount::text || '|' || reason_code || '|' || note, 'UTF8')));

-- A request starts undecided, is decided once by somebody in office, and never changes in anything else.
CREATE FUNCTION ledger_request_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'pending' THEN
            RAISE EXCEPTION 'a request starts as pending' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.state <> 'pending' OR NEW.state = 'pending' THEN
        RAISE EXCEPTION 'a request is decided once: it is %', OLD.state USING ERRCODE = 'restrict_violation';
    END IF;
    IF (NEW.id, NEW.account_id, NEW.amount, NEW.reason_code, NEW.note, NEW.payload_hash, NEW.requested_by_id,
        NEW.requested_at_ms, NEW.expires_at_ms)
       IS DISTINCT FROM
       (OLD.id, OLD.account_id, OLD.amount, OLD.reason_code, OLD.note, OLD.payload_hash, OLD.requested_by_id,
        OLD.requested_at_ms, OLD.expires_at_ms) THEN
        RAISE EXCEPTION 'what a request asks for is frozen' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'approved' AND NEW.decided_at_ms >= OLD.expires_at_ms THEN
        RAISE EXCEPTION 'the request has expired' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.state = 'approved' AND (
        SELECT count(*) FROM accounts_user
        WHERE id IN (NEW.requested_by_id, NEW.decided_by_id) AND is_active AND is_staff) <> 2 THEN
        RAISE EXCEPTION 'an approval needs two persons in office' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_request_frozen BEFORE INSERT OR UPDATE ON ledger_adjustment_request
    FOR EACH ROW EXECUTE FUNCTION ledger_request_guard();
CREATE TRIGGER ledger_request_kept BEFORE DELETE ON ledger_adjustment_request
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_request_no_truncate BEFORE TRUNCATE ON ledger_adjustment_request
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- An adjustment by request is exactly what was approved.
CREATE FUNCTION ledger_adjustment_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM ledger_adjustment_request
        WHERE id = NEW.request_id AND state = 'approved'
          AND (account_id, amount, note) = (NEW.account_id, NEW.amount, NEW.reason)) THEN
        RAISE EXCEPTION 'no approved request for this adjustment' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_adjustment_approved BEFORE INSERT ON ledger_adjustment
    FOR EACH ROW WHEN (NEW.origin = 'approved') EXECUTE FUNCTION ledger_adjustment_guard();
CREATE TRIGGER ledger_adjustment_no_truncate BEFORE TRUNCATE ON ledger_adjustment
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- And a transfer of that family is exactly what an adjustment tells the client. Other families do not come here.
CREATE FUNCTION ledger_adjustment_transfer_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM ledger_adjustment
        WHERE id = NEW.reference AND abs(amount) = NEW.amount
          AND account_id = CASE WHEN amount > 0 THEN NEW.credit_account_id ELSE NEW.debit_account_id END) THEN
        RAISE EXCEPTION 'no adjustment for this transfer' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_transfer_adjustment_told AFTER INSERT ON ledger_transfer
    FOR EACH ROW WHEN (NEW.family = 'adjustment') EXECUTE FUNCTION ledger_adjustment_transfer_guard();

CREATE TRIGGER ledger_checkpoint_append_only BEFORE UPDATE OR DELETE ON ledger_checkpoint
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ledger_checkpoint_no_truncate BEFORE TRUNCATE ON ledger_checkpoint
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- The second wall: the application may write a decision and nothing else of a request, and no past checkpoint.
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON ledger_adjustment_request, ledger_checkpoint FROM fairstrike;
        GRANT UPDATE (state, decided_by_id, decided_at_ms, decision_note) ON ledger_adjustment_request TO fairstrike;
    END IF;
END $$;
"""
BACKWARD = """
DROP TRIGGER ledger_checkpoint_no_truncate ON ledger_checkpoint;
DROP TRIGGER ledger_checkpoint_append_only ON ledger_checkpoint;
DROP TRIGGER ledger_transfer_adjustment_told ON ledger_transfer;
DROP FUNCTION ledger_adjustment_transfer_guard();
DROP TRIGGER ledger_adjustment_no_truncate ON ledger_adjustment;
DROP TRIGGER ledger_adjustment_approved ON ledger_adjustment;
DROP FUNCTION ledger_adjustment_guard();
DROP TRIGGER ledger_request_no_truncate ON ledger_adjustment_request;
DROP TRIGGER ledger_request_kept ON ledger_adjustment_request;
DROP TRIGGER ledger_request_frozen ON ledger_adjustment_request;
DROP FUNCTION ledger_request_guard();
ALTER TABLE ledger_adjustment_request DROP CONSTRAINT ledger_request_hash;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_requests_and_checkpoints")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
