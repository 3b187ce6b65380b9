"""The processes that make up the platform on one machine, and what goes before them."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MANAGE = (sys.executable, str(ROOT / "manage.py"))
# Its warning to root is about pickled messages; we accept JSON only.
NO_ROOT_WARNING = ("-W", "ignore:You're running the worker with superuser privileges")
CELERY = (sys.executable, *NO_ROOT_WARNING, "-m", "celery", "--app", "config.celery", "--quiet")
DEMO_LOGINS = (
    "  trader    trader@example.com / trader-demo-1",
    "  trader    trader2@example.com / trader-demo-2",
    "  operator  admin@example.com / admin-demo-1",
)


@dataclass(frozen=True)
class Step:
    """A command that must succeed before the runtimes start."""

    name: str
    command: tuple[str, ...]
    as_owner: bool = False
    """Connect as the owner of the schema, which migrations need and nothing else gets."""


@dataclass(frozen=True)
class Plan:
    """What the supervisor runs; its tests hand in small commands of their own."""

    runtimes: Mapping[str, tuple[str, ...]]
    port: int
    steps: tuple[Step, ...] = ()
    greeting: tuple[str, ...] = ()


def platform_plan(*, port: int, data_dir: Path, development: bool) -> Plan:
    """Return the set-up steps and the runtimes of the whole platform.

    Each idle runtime stays below 160 MB of resident memory: one process each, no pools of workers.

    :param development: seed demo data and show its log-ins; otherwise collect static files
    """
    seed = Step("seed", (*MANAGE, "seed_demo"))
    collect = Step("static", (*MANAGE, "collectstatic", "--noinput", "--verbosity", "0"))
    return Plan(
        port=port,
        steps=(
            Step("migrate", (*MANAGE, "migrate", "--verbosity", "0"), as_owner=True),
            seed if development else collect,
        ),
        runtimes={
            # The application itself judges forwarded addresses (TRUSTED_PROXIES); the server must not.
            "web": (
                *(sys.executable, "-m", "uvicorn", "config.asgi:application"),
                *("--host", "127.0.0.1", "--port", str(port), "--ws", "websockets-sansio"),
                *("--no-access-log", "--no-proxy-headers", "--no-server-header", "--log-level", "warning"),
                *("--timeout-graceful-shutdown", "5", "--ws-max-size", "65536"),
                # Compression costs each socket memory and half its CPU, and our messages are small.
                *("--ws-per-message-deflate", "false"),
            ),
            "parser": (*MANAGE, "parse_quotes"),
            "ea_gateway": (*MANAGE, "ea_gateway"),
            "ea_executor": (*MANAGE, "ea_executor"),
            "settlement": (
                *(*CELERY, "worker", "--queues", "settlement,default", "--pool", "solo"),
                *("--hostname", "settlement@%h", "--loglevel", "warning"),
                *("--without-gossip", "--without-mingle", "--without-heartbeat"),
            ),
            "beat": (
                *(*CELERY, "beat", "--loglevel", "warning", "--pidfile", ""),
                *("--schedule", str(data_dir / "beat-schedule")),
            ),
        },
        greeting=DEMO_LOGINS if development else (),
    )
