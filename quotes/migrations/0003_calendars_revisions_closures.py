"""Trading hours, revisions that wait, closures by the feed, incidents, archives."""

import django.db.models.deletion
from django.db import migrations, models


# A candle belongs to one revision of its symbol: prices of two scales do not mix in a row.
CANDLES_FORWARD = """
ALTER TABLE quotes_candle ADD COLUMN revision integer;
UPDATE quotes_candle AS candle SET revision = symbol.revision FROM quotes_symbol AS symbol
    WHERE symbol.id = candle.symbol_id;
ALTER TABLE quotes_candle ALTER COLUMN revision SET NOT NULL;
ALTER TABLE quotes_candle DROP CONSTRAINT quotes_candle_pkey;
ALTER TABLE quotes_candle ADD PRIMARY KEY (symbol_id, interval_s, start_ms, revision);
"""
CANDLES_BACKWARD = """
ALTER TABLE quotes_candle DROP CONSTRAINT quotes_candle_pkey;
ALTER TABLE quotes_candle ADD PRIMARY KEY (symbol_id, interval_s, start_ms);
ALTER TABLE quotes_candle DROP COLUMN revision;
"""


class Migration(migrations.Migration):

    dependencies = [
        ('quotes', '0002_log'),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CANDLES_FORWARD, CANDLES_BACKWARD)],
            state_operations=[
                migrations.DeleteModel('Candle'),
                migrations.CreateModel(
                    name='Candle',
                    fields=[
                        ('pk', models.CompositePrimaryKey('symbol_id', 'interval_s', 'start_ms', 'revision', blank=True, editable=False, primary_key=True, serialize=False)),
                        ('symbol_id', models.IntegerField()),
                        ('interval_s', models.IntegerField()),
                        ('start_ms', models.BigIntegerField()),
                        ('revision', models.IntegerField(default=1, help_text='of the symbol: it says what the integers mean')),
                        ('open', models.BigIntegerField()),
                        ('high', models.BigIntegerField()),
                        ('low', models.BigIntegerField()),
                        ('close', models.BigIntegerField()),
                        ('ticks', models.IntegerField()),
                    ],
                    options={'db_table': 'quotes_candle'},
                ),
            ],
        ),
        migrations.CreateModel(
            name='CalendarChange',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('calendar_name', models.CharField(max_length=60)),
                ('at_ms', models.BigIntegerField()),
                ('by_id', models.UUIDField(null=True)),
                ('terms', models.JSONField()),
            ],
            options={
                'db_table': 'quotes_calendar_change',
            },
        ),
        migrations.CreateModel(
            name='FeedDeclaration',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('symbol_id', models.IntegerField()),
                ('at_ms', models.BigIntegerField(help_text="the source's time, or just after the watermark if that is later")),
                ('source_ms', models.BigIntegerField(help_text="the source's time, where it gave one", null=True)),
                ('received_at_ms', models.BigIntegerField()),
                ('closed', models.BooleanField()),
                ('reason', models.CharField(blank=True, default='', max_length=200)),
            ],
            options={
                'db_table': 'quotes_feed_declaration',
            },
        ),
        migrations.CreateModel(
            name='Holiday',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('name', models.CharField(max_length=100)),
                ('opens_minute', models.SmallIntegerField(blank=True, help_text='trading from this local minute on', null=True)),
                ('closes_minute', models.SmallIntegerField(blank=True, help_text='trading until this local minute', null=True)),
                ('imported', models.BooleanField(default=False, editable=False)),
            ],
            options={
                'db_table': 'quotes_holiday',
                'ordering': ['day'],
            },
        ),
        migrations.CreateModel(
            name='Incident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at_ms', models.BigIntegerField()),
                ('reason', models.CharField(max_length=200)),
                ('orders', models.IntegerField()),
                ('figures', models.JSONField(help_text='by ledger: orders and stakes that stood to win, to lose and to tie')),
            ],
            options={
                'db_table': 'quotes_incident',
            },
        ),
        migrations.CreateModel(
            name='MarketCalendar',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=60, unique=True)),
                ('time_zone', models.CharField(help_text='such as America/New_York', max_length=60)),
                ('exchange', models.CharField(blank=True, default='', help_text='code of the exchange whose holidays are fetched, such as XNYS', max_length=12)),
                ('windows_until_ms', models.BigIntegerField(default=0, editable=False)),
            ],
            options={
                'db_table': 'quotes_calendar',
                'ordering': ['name'],
            },
        ),
        migrations.CreateModel(
            name='TickArchive',
            fields=[
                ('day', models.DateField(primary_key=True, serialize=False)),
                ('path', models.CharField(help_text="below the archive's directory", max_length=300)),
                ('rows', models.BigIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('archived_at_ms', models.BigIntegerField()),
                ('dropped_at_ms', models.BigIntegerField(null=True)),
            ],
            options={
                'db_table': 'quotes_tick_archive',
            },
        ),
        migrations.CreateModel(
            name='TradingSession',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('weekday', models.SmallIntegerField(choices=[(0, 'Monday'), (1, 'Tuesday'), (2, 'Wednesday'), (3, 'Thursday'), (4, 'Friday'), (5, 'Saturday'), (6, 'Sunday')])),
                ('opens_minute', models.SmallIntegerField()),
                ('closes_minute', models.SmallIntegerField()),
            ],
            options={
                'db_table': 'quotes_session',
                'ordering': ['weekday', 'opens_minute'],
            },
        ),
        migrations.CreateModel(
            name='TradingWindow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('opens_ms', models.BigIntegerField()),
                ('closes_ms', models.BigIntegerField()),
                ('made_at_ms', models.BigIntegerField()),
                ('superseded_at_ms', models.BigIntegerField(null=True)),
            ],
            options={
                'db_table': 'quotes_trading_window',
            },
        ),
        migrations.RemoveConstraint(
            model_name='symbol',
            name='quotes_symbol_durations',
        ),
        migrations.AddField(
            model_name='symbol',
            name='custom',
            field=models.BooleanField(default=False, editable=False, help_text='prices come from a generator, a script or an overridden endpoint'),
        ),
        migrations.AddField(
            model_name='symbol',
            name='custom_declared',
            field=models.BooleanField(default=False, help_text='terms and receipts tell clients: feed custom'),
        ),
        migrations.AddField(
            model_name='symbol',
            name='exposure_cap_minor',
            field=models.BigIntegerField(blank=True, help_text='most open stakes of the real ledger in one direction; none means no cap', null=True),
        ),
        migrations.AddField(
            model_name='symbol',
            name='pending_revision',
            field=models.IntegerField(editable=False, help_text='number of the revision that waits for the last open order', null=True),
        ),
        migrations.AddField(
            model_name='symbol',
            name='purchase_deadline_s',
            field=models.SmallIntegerField(default=10, help_text='orders for a clock time are refused in the last seconds before it'),
        ),
        migrations.AddField(
            model_name='symbolhead',
            name='clock_sane',
            field=models.BooleanField(default=True, help_text="whether the source's clock is near ours"),
        ),
        migrations.AddField(
            model_name='symbolhead',
            name='closed_by_feed',
            field=models.CharField(help_text="the feed's own words, while it is closed", max_length=200, null=True),
        ),
        migrations.AddField(
            model_name='symbolrevision',
            name='approved_by_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AddField(
            model_name='symbolrevision',
            name='emergency',
            field=models.BooleanField(default=False, help_text='took effect at once; the orders open then are refunded'),
        ),
        migrations.AddField(
            model_name='symbolrevision',
            name='fence_xid',
            field=models.BigIntegerField(help_text='transactions before this one may still place orders', null=True),
        ),
        migrations.AddField(
            model_name='symbolrevision',
            name='reason',
            field=models.CharField(blank=True, default='', max_length=200),
        ),
        migrations.AddField(
            model_name='symbolrevision',
            name='requested_at_ms',
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name='symbolrevision',
            name='requested_by_id',
            field=models.UUIDField(null=True),
        ),
        migrations.AlterField(
            model_name='symbolrevision',
            name='since_ms',
            field=models.BigIntegerField(help_text='null while it waits for the last open order', null=True),
        ),
        migrations.AddConstraint(
            model_name='symbolrevision',
            constraint=models.UniqueConstraint(condition=models.Q(('since_ms__isnull', True)), fields=('symbol',), name='quotes_revision_one_waits'),
        ),
        migrations.AddConstraint(
            model_name='symbolrevision',
            constraint=models.CheckConstraint(condition=models.Q(('emergency', False), ('since_ms__isnull', True), models.Q(('approved_by_id__isnull', False), ('requested_by_id__isnull', False), models.Q(('approved_by_id', models.F('requested_by_id')), _negated=True), models.Q(('reason', ''), _negated=True)), _connector='OR'), name='quotes_revision_emergency_two_persons'),
        ),
        migrations.AddIndex(
            model_name='calendarchange',
            index=models.Index(fields=['calendar_name', '-at_ms'], name='quotes_calendar_changes'),
        ),
        migrations.AddIndex(
            model_name='feeddeclaration',
            index=models.Index(fields=['symbol_id', '-at_ms', '-id'], name='quotes_declaration_newest'),
        ),
        migrations.AddField(
            model_name='incident',
            name='revision',
            field=models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='incident', to='quotes.symbolrevision'),
        ),
        migrations.AddField(
            model_name='incident',
            name='symbol',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='incidents', to='quotes.symbol'),
        ),
        migrations.AddField(
            model_name='holiday',
            name='calendar',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='holidays', to='quotes.marketcalendar'),
        ),
        migrations.AddField(
            model_name='symbol',
            name='calendar',
            field=models.ForeignKey(blank=True, help_text='trading hours; none means round the clock', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='symbols', to='quotes.marketcalendar'),
        ),
        migrations.AddConstraint(
            model_name='symbol',
            constraint=models.CheckConstraint(condition=models.Q(('max_duration_s__gte', models.F('min_duration_s')), ('min_duration_s__gt', 0), ('max_duration_s__lte', 2678400)), name='quotes_symbol_durations'),
        ),
        migrations.AddConstraint(
            model_name='symbol',
            constraint=models.CheckConstraint(condition=models.Q(('entry_rule__in', ['last_tick/1', 'next_tick/1']), ('settlement_rule__in', ['last_tick/1', 'trimmed_mean_10s/1'])), name='quotes_symbol_rules'),
        ),
        migrations.AddConstraint(
            model_name='symbol',
            constraint=models.CheckConstraint(condition=models.Q(('purchase_deadline_s__gte', 0), models.Q(('exposure_cap_minor__isnull', True), ('exposure_cap_minor__gt', 0), _connector='OR')), name='quotes_symbol_deadline_and_cap'),
        ),
        migrations.AddField(
            model_name='tradingsession',
            name='calendar',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sessions', to='quotes.marketcalendar'),
        ),
        migrations.AddField(
            model_name='tradingwindow',
            name='calendar',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='windows', to='quotes.marketcalendar'),
        ),
        migrations.AddIndex(
            model_name='incident',
            index=models.Index(fields=['-at_ms', '-id'], name='quotes_incident_newest'),
        ),
        migrations.AddConstraint(
            model_name='holiday',
            constraint=models.UniqueConstraint(fields=('calendar', 'day'), name='quotes_holiday_day'),
        ),
        migrations.AddConstraint(
            model_name='holiday',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('closes_minute__isnull', True), ('opens_minute__isnull', True)), models.Q(('closes_minute__isnull', False), ('opens_minute__isnull', False), ('closes_minute__gt', models.F('opens_minute')), ('closes_minute__lte', 1440), ('opens_minute__gte', 0)), _connector='OR'), name='quotes_holiday_minutes'),
        ),
        migrations.AddConstraint(
            model_name='tradingsession',
            constraint=models.CheckConstraint(condition=models.Q(('weekday__gte', 0), ('weekday__lte', 6)), name='quotes_session_weekday'),
        ),
        migrations.AddConstraint(
            model_name='tradingsession',
            constraint=models.CheckConstraint(condition=models.Q(('opens_minute__gte', 0), ('opens_minute__lt', 1440), ('closes_minute__gt', models.F('opens_minute')), ('closes_minute__lte', 2880)), name='quotes_session_minutes'),
        ),
        migrations.AddIndex(
            model_name='tradingwindow',
            index=models.Index(condition=models.Q(('superseded_at_ms__isnull', True)), fields=['calendar', 'closes_ms'], include=('opens_ms',), name='quotes_window_in_force'),
        ),
        migrations.AddConstraint(
            model_name='tradingwindow',
            constraint=models.CheckConstraint(condition=models.Q(('closes_ms__gt', models.F('opens_ms'))), name='quotes_window_forward'),
        ),
    ]
