import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.text
import django.db.models.lookups
import kernel.clock
import kernel.ids
from django.conf import settings
from django.db import migrations, models

# The trail and the consents are evidence: the database refuses to change or remove a row.
APPEND_ONLY = """
CREATE FUNCTION accounts_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER accounts_accesstrail_append_only BEFORE UPDATE OR DELETE ON accounts_accesstrail
    FOR EACH ROW EXECUTE FUNCTION accounts_append_only();
CREATE TRIGGER accounts_consent_append_only BEFORE UPDATE OR DELETE ON accounts_consent
    FOR EACH ROW EXECUTE FUNCTION accounts_append_only();
"""

CHANGEABLE = """
DROP TRIGGER accounts_consent_append_only ON accounts_consent;
DROP TRIGGER accounts_accesstrail_append_only ON accounts_accesstrail;
DROP FUNCTION accounts_append_only();
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='DevMail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('to', models.CharField(max_length=254)),
                ('subject', models.CharField(max_length=998)),
                ('body', models.TextField()),
                ('at_ms', models.BigIntegerField()),
            ],
            options={
                'verbose_name': 'development mail',
            },
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('email', models.EmailField(max_length=254, unique=True, verbose_name='e-mail')),
                ('country', models.CharField(blank=True, default='', max_length=2)),
                ('level', models.SmallIntegerField(choices=[(0, 'nothing'), (1, 'e-mail')], default=0)),
                ('is_active', models.BooleanField(default=True)),
                ('is_staff', models.BooleanField(default=False)),
                ('created_at_ms', models.BigIntegerField(default=kernel.clock.wall_ms, editable=False)),
                ('banned_at_ms', models.BigIntegerField(blank=True, editable=False, null=True)),
                ('ban_reason', models.CharField(blank=True, default='', editable=False, max_length=500)),
                ('excluded_until_ms', models.BigIntegerField(blank=True, null=True)),
                ('break_until_ms', models.BigIntegerField(blank=True, null=True)),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
        ),
        migrations.CreateModel(
            name='AccessTrail',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('sign_up', 'signed up'), ('log_in', 'logged in'), ('log_in_failed', 'log-in failed')], max_length=16)),
                ('ip', models.GenericIPAddressField(null=True)),
                ('country', models.CharField(blank=True, default='', max_length=2)),
                ('user_agent', models.CharField(blank=True, default='', max_length=300)),
                ('at_ms', models.BigIntegerField()),
                ('user', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='access_trail', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'access',
                'verbose_name_plural': 'access trail',
            },
        ),
        migrations.CreateModel(
            name='ApiToken',
            fields=[
                ('id', models.UUIDField(default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(blank=True, default='', max_length=100)),
                ('prefix', models.CharField(max_length=12)),
                ('secret_hash', models.BinaryField(max_length=32, unique=True)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), size=None)),
                ('ledgers', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), blank=True, null=True, size=None)),
                ('ips', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=49), blank=True, default=list, size=None)),
                ('created_at_ms', models.BigIntegerField()),
                ('expires_at_ms', models.BigIntegerField(blank=True, null=True)),
                ('revoked_at_ms', models.BigIntegerField(blank=True, null=True)),
                ('last_used_at_ms', models.BigIntegerField(blank=True, null=True)),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='api_tokens', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name': 'API token',
            },
        ),
        migrations.CreateModel(
            name='Consent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('document', models.CharField(choices=[('terms', 'terms of service'), ('risk_warning', 'risk warning')], max_length=16)),
                ('version', models.CharField(max_length=32)),
                ('at_ms', models.BigIntegerField()),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='consents', to=settings.AUTH_USER_MODEL)),
            ],
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(('email', django.db.models.functions.text.Lower('email'))), name='accounts_user_email_lower'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(('country', ''), ('country__regex', '^[A-Z]{2}$'), _connector='OR'), name='accounts_user_country_code'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(('level__gte', 0)), name='accounts_user_level_known'),
        ),
        migrations.AddConstraint(
            model_name='user',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('ban_reason', ''), ('banned_at_ms__isnull', True)), models.Q(('banned_at_ms__isnull', False), models.Q(('ban_reason', ''), _negated=True)), _connector='OR'), name='accounts_user_ban_has_reason'),
        ),
        migrations.AddIndex(
            model_name='accesstrail',
            index=models.Index(models.F('user'), models.OrderBy(models.F('at_ms'), descending=True), name='accounts_trail_user_newest'),
        ),
        migrations.AddIndex(
            model_name='accesstrail',
            index=models.Index(models.F('ip'), models.OrderBy(models.F('at_ms'), descending=True), name='accounts_trail_ip_newest'),
        ),
        migrations.AddConstraint(
            model_name='accesstrail',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['sign_up', 'log_in', 'log_in_failed'])), name='accounts_accesstrail_kind_known'),
        ),
        migrations.AddIndex(
            model_name='apitoken',
            index=models.Index(models.F('user'), models.OrderBy(models.F('id'), descending=True), name='accounts_apitoken_user_newest'),
        ),
        migrations.AddConstraint(
            model_name='apitoken',
            constraint=models.CheckConstraint(condition=models.Q(('scopes__contained_by', ['read', 'trade', 'withdraw', 'tokens']), ('scopes__len__gt', 0)), name='accounts_apitoken_scopes_known'),
        ),
        migrations.AddConstraint(
            model_name='apitoken',
            constraint=models.CheckConstraint(condition=models.Q(('ledgers__isnull', True), models.Q(('ledgers__contained_by', ['real', 'demo', 'tournament']), ('ledgers__len__gt', 0)), _connector='OR'), name='accounts_apitoken_ledgers_known'),
        ),
        migrations.AddConstraint(
            model_name='apitoken',
            constraint=models.CheckConstraint(condition=models.Q(('expires_at_ms__isnull', True), ('expires_at_ms__gt', models.F('created_at_ms')), _connector='OR'), name='accounts_apitoken_expires_later'),
        ),
        migrations.AddConstraint(
            model_name='apitoken',
            constraint=models.CheckConstraint(condition=django.db.models.lookups.Exact(django.db.models.functions.text.Length('secret_hash'), 32), name='accounts_apitoken_hash_size'),
        ),
        migrations.AddConstraint(
            model_name='consent',
            constraint=models.UniqueConstraint(fields=('user', 'document', 'version'), name='accounts_consent_once'),
        ),
        migrations.AddConstraint(
            model_name='consent',
            constraint=models.CheckConstraint(condition=models.Q(('document__in', ['terms', 'risk_warning'])), name='accounts_consent_document_known'),
        ),
        migrations.AddConstraint(
            model_name='consent',
            constraint=models.CheckConstraint(condition=models.Q(('version', ''), _negated=True), name='accounts_consent_version_given'),
        ),
        migrations.RunSQL(APPEND_ONLY, CHANGEABLE),
    ]
