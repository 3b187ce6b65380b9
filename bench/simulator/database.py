"""The database as the platform uses it: transactions, row locks, unique keys, one clock, and sessions that can end.

READ COMMITTED as PostgreSQL has it: a statement sees what is committed when it runs, and what its own transaction
wrote; a row lock waits for its holder and then shows the row's newest version; what is written takes effect as a whole
at commit. A statement is one step: nothing happens within it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from bench.simulator.world import Steps, Wait, World

Row = Any
Key = tuple[str, Hashable]
ABSENT: Row = None


class SessionGoneError(Exception):
    """The server has ended this session: its transaction is rolled back and its locks are free."""


class UniqueError(Exception):
    """A row with this key is there already."""


class LockTimeoutError(Exception):
    """A row stayed locked for longer than the statement wanted to wait."""


@dataclass(slots=True)
class Database:
    """Committed rows by table and key, logs that only grow, and who holds which lock."""

    world: World
    rows: defaultdict[str, dict[Any, Row]] = field(default_factory=lambda: defaultdict(dict))
    logs: defaultdict[Hashable, list[Row]] = field(default_factory=lambda: defaultdict(list))
    locks: dict[Key, Transaction] = field(default_factory=dict)
    # Advisory locks live as long as their session.
    leaders: dict[str, Session] = field(default_factory=dict)
    sessions: list[Session] = field(default_factory=list)
    # Called before and after a commit with the transaction; the judge looks on here.
    committing: Callable[[Transaction], None] = lambda _: None
    committed: Callable[[Transaction], None] = lambda _: None

    def table(self, name: str) -> dict[Any, Row]:
        """Return a table's committed rows."""
        return self.rows[name]

    def log(self, name: Hashable) -> list[Row]:
        """Return a log's committed rows."""
        return self.logs[name]

    def now_ms(self) -> int:
        """Return the database's clock."""
        return self.world.database_ms()

    def restart(self) -> None:
        """End every session, as an immediate restart of the server does."""
        for session in list(self.sessions):
            session.end()


@dataclass(slots=True, eq=False)
class Session:
    """A connection of one process."""

    database: Database
    name: str
    gone: bool = False
    open: Transaction | None = None

    def __post_init__(self) -> None:
        self.database.sessions.append(self)

    def require(self) -> None:
        """Demand that the session lives.

        :raises SessionGoneError: it does not
        """
        if self.gone:
            raise SessionGoneError(self.name)

    def begin(self) -> Transaction:
        """Begin a transaction."""
        self.require()
        self.open = Transaction(self)
        return self.open

    def lead(self, name: str) -> bool:
        """Try to take an advisory lock; never waits."""
        self.require()
        return self.database.leaders.setdefault(name, self) is self

    def end(self) -> None:
        """End the session: roll back, and free what it holds."""
        if self.gone:
            return
        self.gone = True
        self.database.sessions.remove(self)
        if self.open is not None:
            self.open.roll_back()
        for name in [name for name, leader in self.database.leaders.items() if leader is self]:
            del self.database.leaders[name]


@dataclass(slots=True, eq=False)
class Transaction:
    """What one transaction has written and locked."""

    session: Session
    written: dict[Key, Row] = field(default_factory=dict)
    inserted: list[Key] = field(default_factory=list)
    appended: dict[Hashable, list[Row]] = field(default_factory=dict)
    held: list[Key] = field(default_factory=list)
    told: list[Hashable] = field(default_factory=list)
    # What the judge is told besides the rows.
    notes: list[Any] = field(default_factory=list)
    over: bool = False

    @property
    def database(self) -> Database:
        """The database."""
        return self.session.database

    def read(self, table: str, key: Hashable) -> Row:
        """Return a row, None where there is none."""
        self.session.require()
        found = self.written.get((table, key), self)
        return self.database.table(table).get(key) if found is self else found

    def write(self, table: str, key: Hashable, row: Row) -> None:
        """Insert or change a row; None deletes it."""
        self.session.require()
        self.written[table, key] = row

    def insert(self, table: str, key: Hashable, row: Row) -> None:
        """Insert a row.

        :raises UniqueError: the key is taken
        """
        if self.read(table, key) is not ABSENT:
            raise UniqueError(f"{table} {key}")
        self.written[table, key] = row
        self.inserted.append((table, key))

    def append(self, log: Hashable, rows: Iterable[Row]) -> None:
        """Add rows to a log."""
        self.session.require()
        self.appended.setdefault(log, []).extend(rows)

    def notify(self, topic: Hashable) -> None:
        """Wake whoever listens, once this is committed."""
        self.told.append(topic)

    def lock(self, table: str, keys: Iterable[Hashable], limit_ms: int | None = None) -> Steps:
        """Lock rows one after the other, waiting for their holders.

        :raises LockTimeoutError: one of them stayed locked
        """
        for key in keys:
            while not self.try_lock(table, key):
                if not (yield Wait(("lock", table, key), limit_ms)):
                    raise LockTimeoutError(f"{table} {key}")

    def try_lock(self, table: str, key: Hashable) -> bool:
        """Lock a row unless somebody else holds it."""
        self.session.require()
        holder = self.database.locks.setdefault((table, key), self)
        if holder is not self:
            return False
        if (table, key) not in self.held:
            self.held.append((table, key))
        return True

    def commit(self) -> None:
        """Let everything take effect at once.

        :raises UniqueError: somebody else has committed the same key meanwhile; everything is rolled back
        """
        self.session.require()
        if self.over:
            return
        database = self.database
        if not self.written and not self.appended:
            self._release()
            return
        for table, key in self.inserted:
            if database.table(table).get(key) is not ABSENT:
                self.roll_back()
                raise UniqueError(f"{table} {key}")
        database.committing(self)
        for (table, key), row in self.written.items():
            if row is ABSENT:
                database.table(table).pop(key, None)
            else:
                database.table(table)[key] = row
        for log, rows in self.appended.items():
            database.log(log).extend(rows)
        database.committed(self)
        self._release()
        for topic in self.told:
            database.world.tell(topic)

    def roll_back(self) -> None:
        """Let nothing take effect."""
        if not self.over:
            self._release()

    def _release(self) -> None:
        self.over = True
        self.session.open = None
        for key in self.held:
            del self.database.locks[key]
            self.database.world.tell(("lock", *key))
