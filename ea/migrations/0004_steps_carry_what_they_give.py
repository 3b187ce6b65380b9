"""A step keeps what the order's row is given with it, so that the row can be made again from the log alone."""

from django.db import migrations, models

# Rows from before this migration are given what their order's row holds; from here on it is written with the step.
# An order's ticket came with the step to submitted, its id in trading with the last step that told the client of it.
FORWARD = """
ALTER TABLE ea_order_event DISABLE TRIGGER ea_order_event_append_only;
UPDATE ea_order_event AS step SET given = jsonb_strip_nulls(
    CASE WHEN step.state = 'submitted' THEN jsonb_build_object(
        'strategy', o.strategy, 'symbol', o.symbol, 'ticket', o.ticket, 'wallet_id', o.wallet_id,
        'client_order_id', o.client_order_id, 'not_after_ms', o.not_after_ms, 'warnings', o.warnings)
    WHEN o.ticket IS NULL THEN jsonb_build_object('strategy', o.strategy, 'symbol', o.symbol)
    ELSE jsonb_build_object('order_id', o.order_id) END)
FROM ea_order AS o
WHERE o.event_id = step.order_id AND (step.state = 'submitted' OR step.frame IS NOT NULL);
ALTER TABLE ea_order_event ENABLE TRIGGER ea_order_event_append_only;

ALTER TABLE ea_order_event ADD CONSTRAINT ea_order_event_submits CHECK (
    state <> 'submitted' OR given ?& ARRAY['ticket', 'wallet_id', 'client_order_id', 'not_after_ms']);
"""
BACKWARD = "ALTER TABLE ea_order_event DROP CONSTRAINT ea_order_event_submits"


class Migration(migrations.Migration):
    dependencies = [("ea", "0003_risk")]

    operations = [
        migrations.AddField(
            model_name="transition",
            name="given",
            field=models.JSONField(
                help_text="columns of the order's row that get their value with this step", null=True
            ),
        ),
        migrations.RunSQL(FORWARD, BACKWARD),
    ]
