"""What is due is found by its expiry."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('trading', '0004_rules_of_the_database'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='orderopen',
            index=models.Index(fields=['expires_at_ms', 'order'], name='trading_order_open_next'),
        ),
    ]
