"""Trading hours are called so."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('quotes', '0006_revisions'),
    ]

    operations = [
        migrations.AlterModelOptions(
            name='marketcalendar',
            options={'ordering': ['name'], 'verbose_name': 'trading hours', 'verbose_name_plural': 'trading hours'},
        ),
    ]
