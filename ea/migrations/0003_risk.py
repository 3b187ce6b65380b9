"""Risk: states of the bridge as a history, versioned limits, stops, and the results that they are judged by."""

import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

FORWARD = """
CREATE TRIGGER ea_trading_switch_append_only BEFORE UPDATE OR DELETE ON ea_trading_switch
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_trading_switch_no_truncate BEFORE TRUNCATE ON ea_trading_switch
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_risk_limits_append_only BEFORE UPDATE OR DELETE ON ea_risk_limits
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_risk_limits_no_truncate BEFORE TRUNCATE ON ea_risk_limits
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_risk_stop_append_only BEFORE UPDATE OR DELETE ON ea_risk_stop
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_risk_stop_no_truncate BEFORE TRUNCATE ON ea_risk_stop
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_result_tally_append_only BEFORE UPDATE OR DELETE ON ea_result_tally
    FOR EACH ROW EXECUTE FUNCTION append_only();
CREATE TRIGGER ea_result_tally_no_truncate BEFORE TRUNCATE ON ea_result_tally
    FOR EACH STATEMENT EXECUTE FUNCTION append_only();

-- Fairness: what concerns one client's installation is decided by that client.
CREATE FUNCTION ea_link_owned(link bigint, actor uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM ea_link WHERE id = link AND user_id = actor)
$$;

CREATE FUNCTION ea_trading_switch_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.scope IN ('link', 'strategy')
       AND NOT ea_link_owned(split_part(NEW.name, '/', 1)::bigint, NEW.actor_id) THEN
        RAISE EXCEPTION 'an installation is switched by its owner' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ea_trading_switch_guard BEFORE INSERT ON ea_trading_switch
    FOR EACH ROW EXECUTE FUNCTION ea_trading_switch_guard();

CREATE FUNCTION ea_risk_limits_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.link_id IS NOT NULL AND NOT ea_link_owned(NEW.link_id, NEW.actor_id) THEN
        RAISE EXCEPTION 'an installation is limited by its owner' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.version <> 1 + coalesce((SELECT max(version) FROM ea_risk_limits
                                    WHERE link_id IS NOT DISTINCT FROM NEW.link_id), 0) THEN
        RAISE EXCEPTION 'versions of limits have no gaps' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ea_risk_limits_guard BEFORE INSERT ON ea_risk_limits
    FOR EACH ROW EXECUTE FUNCTION ea_risk_limits_guard();

-- A stop is tripped once and then reset once, by its owner.
CREATE FUNCTION ea_risk_stop_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stands text;
BEGIN
    SELECT act INTO stands FROM ea_risk_stop
    WHERE link_id = NEW.link_id AND wallet_id = NEW.wallet_id AND stop = NEW.stop ORDER BY id DESC LIMIT 1;
    IF NEW.act = coalesce(stands, 'reset') THEN
        RAISE EXCEPTION 'the stop % is %', NEW.stop, coalesce(stands, 'not tripped')
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.act = 'reset' AND NOT ea_link_owned(NEW.link_id, NEW.actor_id) THEN
        RAISE EXCEPTION 'a stop is reset by its owner' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ea_risk_stop_guard BEFORE INSERT ON ea_risk_stop
    FOR EACH ROW EXECUTE FUNCTION ea_risk_stop_guard();

-- Each row goes on from the one before it.
CREATE FUNCTION ea_result_tally_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stands ea_result_tally;
BEGIN
    SELECT * INTO stands FROM ea_result_tally
    WHERE link_id = NEW.link_id AND wallet_id = NEW.wallet_id ORDER BY no DESC LIMIT 1;
    IF NEW.no <> coalesce(stands.no, 0) + 1 OR NEW.total <> coalesce(stands.total, 0) + NEW.net
       OR NEW.at_ms < coalesce(stands.at_ms, 0) THEN
        RAISE EXCEPTION 'the results of installation % do not add up', NEW.link_id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ea_result_tally_follows BEFORE INSERT ON ea_result_tally
    FOR EACH ROW EXECUTE FUNCTION ea_result_tally_follows();

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'fairstrike') AND current_user <> 'fairstrike' THEN
        REVOKE UPDATE, DELETE, TRUNCATE ON ea_trading_switch, ea_risk_limits, ea_risk_stop, ea_result_tally
            FROM fairstrike;
        REVOKE DELETE, TRUNCATE ON ea_order_bucket FROM fairstrike;
    END IF;
END $$;
"""
# What was settled before the table was there is counted as it would have been.
RESULTS_COUNTED = """
DO $$
DECLARE
    one record;
    stands record;
    streak record;
    made bigint;
BEGIN
    FOR one IN SELECT o.event_id, o.link_id, o.wallet_id, o.strategy, placed.stake, placed.payout, placed.settled_at_ms
               FROM ea_order AS o JOIN trading_order AS placed ON placed.id = o.order_id
               WHERE o.state = 'settled' ORDER BY placed.settled_at_ms, o.event_id LOOP
        SELECT coalesce(max(no), 0) AS no, coalesce(max(at_ms), 0) AS at_ms, coalesce(sum(net), 0)::bigint AS total,
               greatest(max(peak), 0) AS peak, greatest(max(fall), 0) AS fall
        INTO stands FROM ea_result_tally WHERE link_id = one.link_id AND wallet_id = one.wallet_id;
        SELECT * INTO streak FROM (
            SELECT losses, lost_stake, lost_at_ms, no FROM ea_result_tally
            WHERE link_id = one.link_id AND wallet_id = one.wallet_id AND strategy = one.strategy
            UNION ALL SELECT 0, 0, 0, 0) AS found
        ORDER BY no DESC LIMIT 1;
        made := one.payout - one.stake;
        INSERT INTO ea_result_tally (link_id, wallet_id, no, event_id, strategy, at_ms, net, total, peak, fall, losses,
                                     lost_stake, lost_at_ms)
        VALUES (one.link_id, one.wallet_id, stands.no + 1, one.event_id, one.strategy,
                greatest(stands.at_ms, one.settled_at_ms), made, stands.total + made,
                greatest(stands.peak, stands.total + made),
                greatest(stands.fall, stands.peak - stands.total - made, 0),
                CASE WHEN made > 0 THEN 0 WHEN made < 0 THEN streak.losses + 1 ELSE streak.losses END,
                CASE WHEN made > 0 THEN 0 WHEN made < 0 THEN one.stake ELSE streak.lost_stake END,
                CASE WHEN made > 0 THEN 0 WHEN made < 0 THEN greatest(stands.at_ms, one.settled_at_ms)
                     ELSE streak.lost_at_ms END);
    END LOOP;
END $$;
"""
BACKWARD = """
DROP TRIGGER ea_result_tally_follows ON ea_result_tally;
DROP FUNCTION ea_result_tally_follows();
DROP TRIGGER ea_risk_stop_guard ON ea_risk_stop;
DROP FUNCTION ea_risk_stop_guard();
DROP TRIGGER ea_risk_limits_guard ON ea_risk_limits;
DROP FUNCTION ea_risk_limits_guard();
DROP TRIGGER ea_trading_switch_guard ON ea_trading_switch;
DROP FUNCTION ea_trading_switch_guard();
DROP FUNCTION ea_link_owned(bigint, uuid);
DROP TRIGGER ea_result_tally_no_truncate ON ea_result_tally;
DROP TRIGGER ea_result_tally_append_only ON ea_result_tally;
DROP TRIGGER ea_risk_stop_no_truncate ON ea_risk_stop;
DROP TRIGGER ea_risk_stop_append_only ON ea_risk_stop;
DROP TRIGGER ea_risk_limits_no_truncate ON ea_risk_limits;
DROP TRIGGER ea_risk_limits_append_only ON ea_risk_limits;
DROP TRIGGER ea_trading_switch_no_truncate ON ea_trading_switch;
DROP TRIGGER ea_trading_switch_append_only ON ea_trading_switch;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("ea", "0002_rules_of_the_database"),
        ("trading", "0008_journal"),
    ]

    operations = [
        migrations.CreateModel(
            name="OrderBucket",
            fields=[
                ("kid", models.CharField(max_length=32, primary_key=True, serialize=False)),
                ("full_at_ms", models.BigIntegerField()),
            ],
            options={
                "db_table": "ea_order_bucket",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ResultTally",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("wallet_id", models.UUIDField()),
                ("no", models.BigIntegerField(help_text="gap-free for each installation and wallet")),
                ("strategy", models.CharField(help_text="null for a reset", max_length=40, null=True)),
                (
                    "at_ms",
                    models.BigIntegerField(help_text="of the settlement, or of the row before where that is later"),
                ),
                ("net", models.BigIntegerField()),
                ("total", models.BigIntegerField()),
                ("peak", models.BigIntegerField()),
                ("fall", models.BigIntegerField()),
                ("losses", models.IntegerField()),
                ("lost_stake", models.BigIntegerField()),
                ("lost_at_ms", models.BigIntegerField()),
            ],
            options={
                "db_table": "ea_result_tally",
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="RiskLimits",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("version", models.IntegerField(help_text="gap-free for each installation")),
                ("document", models.JSONField(help_text="see ea.risk_limits.Limits")),
                ("actor_id", models.UUIDField(null=True)),
                ("at_ms", models.BigIntegerField()),
            ],
            options={
                "verbose_name": "version of risk limits",
                "verbose_name_plural": "versions of risk limits",
                "db_table": "ea_risk_limits",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="RiskStop",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("wallet_id", models.UUIDField()),
                (
                    "stop",
                    models.CharField(
                        choices=[
                            ("loss_day", "loss_day"),
                            ("loss_week", "loss_week"),
                            ("loss_month", "loss_month"),
                            ("drawdown", "drawdown"),
                        ],
                        max_length=12,
                    ),
                ),
                ("act", models.CharField(max_length=8)),
                ("reason", models.CharField(max_length=200)),
                (
                    "lost",
                    models.BigIntegerField(help_text="what was lost when it was tripped, in minor units", null=True),
                ),
                ("limit", models.BigIntegerField(help_text="what was allowed then", null=True)),
                ("actor_id", models.UUIDField(null=True)),
                ("at_ms", models.BigIntegerField()),
            ],
            options={
                "db_table": "ea_risk_stop",
                "default_permissions": (),
            },
        ),
        migrations.AlterModelOptions(
            name="tradingswitch",
            options={
                "default_permissions": ("view",),
                "permissions": [("switch_bridge", "Can set the state of the bridge for everybody or for a symbol")],
                "verbose_name": "state of the bridge",
                "verbose_name_plural": "states of the bridge",
            },
        ),
        migrations.RemoveConstraint(
            model_name="tradingswitch",
            name="ea_trading_switch_once",
        ),
        migrations.AddField(
            model_name="eaorder",
            name="warnings",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=60), help_text="soft limits that it passed", null=True, size=None
            ),
        ),
        migrations.AlterField(
            model_name="tradingswitch",
            name="id",
            field=models.BigAutoField(primary_key=True, serialize=False),
        ),
        migrations.AddIndex(
            model_name="eaorder",
            index=models.Index(
                condition=models.Q(("state", "submitted")), fields=["wallet_id"], name="ea_order_under_way"
            ),
        ),
        migrations.AddIndex(
            model_name="tradingswitch",
            index=models.Index(fields=["scope", "name", "-id"], name="ea_trading_switch_newest"),
        ),
        migrations.AddConstraint(
            model_name="tradingswitch",
            constraint=models.CheckConstraint(
                condition=models.Q(("state__in", ["active", "reducing", "halted"])), name="ea_trading_switch_state"
            ),
        ),
        migrations.AddConstraint(
            model_name="tradingswitch",
            constraint=models.CheckConstraint(
                condition=models.Q(("reason", ""), _negated=True), name="ea_trading_switch_has_reason"
            ),
        ),
        migrations.AddField(
            model_name="resulttally",
            name="event",
            field=models.OneToOneField(
                db_constraint=False,
                help_text="null for a reset",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="ea.event",
            ),
        ),
        migrations.AddField(
            model_name="resulttally",
            name="link",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="ea.link",
            ),
        ),
        migrations.AddField(
            model_name="risklimits",
            name="link",
            field=models.ForeignKey(
                db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ea.link"
            ),
        ),
        migrations.AddField(
            model_name="riskstop",
            name="event",
            field=models.ForeignKey(
                db_index=False,
                help_text="the signal that met it",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="ea.event",
            ),
        ),
        migrations.AddField(
            model_name="riskstop",
            name="link",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ea.link"
            ),
        ),
        migrations.AddIndex(
            model_name="resulttally",
            index=models.Index(fields=["link", "wallet_id", "strategy", "-no"], name="ea_result_tally_strategy"),
        ),
        migrations.AddIndex(
            model_name="resulttally",
            index=models.Index(fields=["link", "wallet_id", "at_ms", "no"], name="ea_result_tally_at"),
        ),
        migrations.AddIndex(
            model_name="resulttally",
            index=django.contrib.postgres.indexes.BrinIndex(
                autosummarize=True, fields=["at_ms"], name="ea_result_tally_by_time"
            ),
        ),
        migrations.AddConstraint(
            model_name="resulttally",
            constraint=models.UniqueConstraint(fields=("link", "wallet_id", "no"), name="ea_result_tally_no"),
        ),
        migrations.AddConstraint(
            model_name="resulttally",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("event__isnull", False), ("strategy__isnull", False)),
                    models.Q(("event__isnull", True), ("net", 0), ("strategy__isnull", True)),
                    _connector="OR",
                ),
                name="ea_result_tally_of_a_result",
            ),
        ),
        migrations.AddConstraint(
            model_name="resulttally",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "fall__gte",
                        django.db.models.expressions.CombinedExpression(models.F("peak"), "-", models.F("total")),
                    ),
                    ("no__gt", 0),
                    ("peak__gte", models.F("total")),
                ),
                name="ea_result_tally_figures",
            ),
        ),
        migrations.AddConstraint(
            model_name="risklimits",
            constraint=models.UniqueConstraint(
                fields=("link", "version"), name="ea_risk_limits_version", nulls_distinct=False
            ),
        ),
        migrations.AddIndex(
            model_name="riskstop",
            index=models.Index(fields=["link", "wallet_id", "stop", "-id"], name="ea_risk_stop_newest"),
        ),
        migrations.AddConstraint(
            model_name="riskstop",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("act", "tripped"), ("event__isnull", False), ("limit__isnull", False), ("lost__isnull", False)
                    ),
                    models.Q(
                        ("act", "reset"),
                        ("actor_id__isnull", False),
                        ("event__isnull", True),
                        ("limit__isnull", True),
                        ("lost__isnull", True),
                    ),
                    _connector="OR",
                ),
                name="ea_risk_stop_act",
            ),
        ),
        migrations.AddConstraint(
            model_name="riskstop",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("stop__in", ["loss_day", "loss_week", "loss_month", "drawdown"]),
                    models.Q(("reason", ""), _negated=True),
                ),
                name="ea_risk_stop_says_why",
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.RunSQL(RESULTS_COUNTED, migrations.RunSQL.noop),
    ]
