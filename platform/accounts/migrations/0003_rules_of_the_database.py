"""What the tables of people refuse by themselves: a changed history, and an exclusion or break that ends early."""

from django.db import migrations

FORWARD = """
CREATE TRIGGER accounts_limit_change_append_only BEFORE UPDATE OR DELETE ON accounts_limit_change
    FOR EACH ROW EXECUTE FUNCTION accounts_append_only();

CREATE FUNCTION accounts_ban_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.lifted_at_ms IS NOT NULL
       OR ROW(NEW.id, NEW.user_id, NEW.reason, NEW.from_ms, NEW.until_ms, NEW.by_id, NEW.with_referrals)
          IS DISTINCT FROM
          ROW(OLD.id, OLD.user_id, OLD.reason, OLD.from_ms, OLD.until_ms, OLD.by_id, OLD.with_referrals) THEN
        RAISE EXCEPTION 'the history of bans is kept' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER accounts_ban_kept BEFORE UPDATE OR DELETE ON accounts_ban
    FOR EACH ROW EXECUTE FUNCTION accounts_ban_kept();

CREATE FUNCTION accounts_break_kept() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    now_ms CONSTANT bigint := floor(extract(epoch from clock_timestamp()) * 1000)::bigint;
BEGIN
    IF OLD.excluded_until_ms > now_ms AND (NEW.excluded_until_ms >= OLD.excluded_until_ms) IS NOT TRUE
       OR OLD.break_until_ms > now_ms AND (NEW.break_until_ms >= OLD.break_until_ms) IS NOT TRUE THEN
        RAISE EXCEPTION 'a break or exclusion does not end early' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER accounts_user_break_kept BEFORE UPDATE OF excluded_until_ms, break_until_ms ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION accounts_break_kept();

-- Bans from before there was a history begin it.
INSERT INTO accounts_ban (user_id, reason, from_ms, with_referrals)
SELECT id, ban_reason, banned_at_ms, false FROM accounts_user WHERE banned_at_ms IS NOT NULL;
"""
BACKWARD = """
DROP TRIGGER accounts_user_break_kept ON accounts_user;
DROP FUNCTION accounts_break_kept();
DROP TRIGGER accounts_ban_kept ON accounts_ban;
DROP FUNCTION accounts_ban_kept();
DROP TRIGGER accounts_limit_change_append_only ON accounts_limit_change;
"""


class Migration(migrations.Migration):
    dependencies = [("accounts", "0002_limits_bans_caps")]

    operations = [migrations.RunSQL(FORWARD, BACKWARD)]
