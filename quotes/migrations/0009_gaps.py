"""Feed gaps, and how far the search for them has come."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('quotes', '0008_seals'),
    ]

    operations = [
        migrations.CreateModel(
            name='FeedWatch',
            fields=[
                ('symbol', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='+', serialize=False, to='quotes.symbol')),
                ('tick_at_ms', models.BigIntegerField()),
                ('sign_ms', models.BigIntegerField()),
                ('watermark_ms', models.BigIntegerField()),
            ],
            options={
                'db_table': 'quotes_feed_watch',
            },
        ),
        migrations.CreateModel(
            name='FeedGap',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(max_length=8)),
                ('from_ms', models.BigIntegerField()),
                ('to_ms', models.BigIntegerField(null=True)),
                ('limit_ms', models.BigIntegerField(help_text='how long it may be without before it is a gap')),
                ('symbol', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='gaps', to='quotes.symbol')),
            ],
            options={
                'db_table': 'quotes_feed_gap',
                'indexes': [models.Index(fields=['-from_ms', '-id'], name='quotes_gap_newest'), models.Index(condition=models.Q(('to_ms__isnull', True)), fields=['symbol'], name='quotes_gap_lasting')],
                'constraints': [models.UniqueConstraint(fields=('symbol', 'kind', 'from_ms'), name='quotes_gap_once'), models.CheckConstraint(condition=models.Q(('kind__in', ['no_tick', 'silent'])), name='quotes_gap_kind'), models.CheckConstraint(condition=models.Q(('to_ms__isnull', True), ('to_ms__gt', models.F('from_ms')), _connector='OR'), name='quotes_gap_span')],
            },
        ),
    ]
