"""Facts that wait for their subscribers, and runs of scheduled jobs."""

import django.contrib.postgres.fields
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("kernel", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="FactBatch",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subscriber", models.CharField(max_length=40)),
                ("fact", models.CharField(max_length=40)),
                (
                    "references",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None),
                ),
                ("at_ms", models.BigIntegerField()),
                ("attempts", models.SmallIntegerField(default=0)),
                ("retry_at_ms", models.BigIntegerField(default=0)),
                ("failed_reason", models.CharField(blank=True, default="", max_length=300)),
            ],
            options={
                "verbose_name": "waiting fact",
                "db_table": "kernel_fact_batch",
                "constraints": [
                    models.CheckConstraint(condition=Q(attempts__gte=0), name="kernel_fact_batch_attempts"),
                    models.CheckConstraint(
                        condition=Q(attempts=0, failed_reason="") | Q(attempts__gt=0) & ~Q(failed_reason=""),
                        name="kernel_fact_batch_failure_has_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="JobRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60)),
                (
                    "period",
                    models.BigIntegerField(
                        help_text="the run's instant divided by the length of the job's period"
                    ),
                ),
                ("started_at_ms", models.BigIntegerField()),
                ("finished_at_ms", models.BigIntegerField(null=True)),
                (
                    "outcome",
                    models.CharField(
                        blank=True,
                        choices=[("", "running"), ("done", "done"), ("failed", "failed")],
                        default="",
                        max_length=8,
                    ),
                ),
                ("detail", models.CharField(blank=True, default="", max_length=300)),
            ],
            options={
                "db_table": "kernel_job_run",
                "constraints": [
                    models.UniqueConstraint(fields=["name", "period"], name="kernel_job_run_once"),
                    models.CheckConstraint(
                        condition=Q(outcome="", finished_at_ms__isnull=True)
                        | Q(outcome__in=["done", "failed"], finished_at_ms__isnull=False),
                        name="kernel_job_run_ended",
                    ),
                ],
            },
        ),
    ]
