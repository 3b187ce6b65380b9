"""That an order's event is in the log is checked once for a whole statement.

A foreign key asks for the event of each row, locks it and writes that lock into the log of the database: a third of what
logging a batch of signals costs. The lock's purpose, an event that is deleted meanwhile, cannot be: events are append-only.
"""

import django.db.models.deletion
from django.db import migrations, models

FORWARD = """
-- The plan is made once for a connection, on a young platform for a table of one page, and kept while that grows.
CREATE FUNCTION ea_order_has_event() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE
    missing bigint;
BEGIN
    -- OFFSET 0 keeps it a look-up for each row.
    SELECT event_id INTO missing FROM added
    WHERE NOT EXISTS (SELECT FROM public.ea_event AS event WHERE event.id = added.event_id OFFSET 0) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'there is no event % for an order', missing
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'ea_order_has_event', TABLE = 'ea_order';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ea_order_has_event AFTER INSERT ON ea_order REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ea_order_has_event();
"""
BACKWARD = """
DROP TRIGGER ea_order_has_event ON ea_order;
DROP FUNCTION ea_order_has_event();
"""


class Migration(migrations.Migration):
    dependencies = [("ea", "0006_hooks")]

    operations = [
        migrations.RunSQL(FORWARD, BACKWARD),
        migrations.AlterField(
            model_name="eaorder",
            name="event",
            field=models.OneToOneField(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                primary_key=True,
                related_name="order",
                serialize=False,
                to="ea.event",
            ),
        ),
    ]
