"""Rules of style that no linter knows, each a function from a parsed file to its findings."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
SOURCE_FOLDERS = (
    *(
        "platform",
        "quotes",
        "trading",
        "settlement",
        "payments",
        "kyc",
        "tournaments",
        "ea",
        "verify",
        "tests",
        "bench",
    ),
)
FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 500
TEST_FILE_LINES_MAX = 900
CLOCKS = {"datetime.now", "datetime.utcnow", "datetime.datetime.now", "time.time", "time.time_ns", "timezone.now"}
CLOCKLESS_ROOMS = {"domain", "services"}
EXACT_PACKAGES = {"ledger", "trading", "settlement"}
QUEUE_CALLS = {"delay", "apply_async"}
SLEEPS = {"time.sleep", "asyncio.sleep", "sleep"}


@dataclass(frozen=True)
class Source:
    """A Python file: its path in the repository and its text."""

    path: PurePosixPath
    text: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def is_test(self) -> bool:
        return self.path.parts[0] == "tests"

    @property
    def rooms(self) -> set[str]:
        """The names on the way to the file: a file that became a folder is still the same room."""
        return {*self.path.parts[:-1], self.path.stem}


Rule = Callable[[Source], Iterator[str]]


def functions_are_short(source: Source) -> Iterator[str]:
    """A function has at most 60 lines."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield f"{source.path}:{node.lineno} {node.name} has {lines} lines"


def files_are_short(source: Source) -> Iterator[str]:
    """A file has at most 500 lines, a file of tests 900."""
    lines, limit = len(source.text.splitlines()), TEST_FILE_LINES_MAX if source.is_test else FILE_LINES_MAX
    if lines > limit:
        yield f"{source.path} has {lines} lines"


def time_comes_in_as_an_argument(source: Source) -> Iterator[str]:
    """Rules and services read no clock: an outcome must not depend on when the code ran."""
    if not source.is_test and source.rooms & CLOCKLESS_ROOMS:
        for line, name in _calls(source):
            if name in CLOCKS:
                yield f"{source.path}:{line} calls {name}"


def rules_of_money_are_exact(source: Source) -> Iterator[str]:
    """No float in the rules of ledger, trading and settlement."""
    if not source.is_test and "domain" in source.rooms and source.rooms & EXACT_PACKAGES:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, float):
                yield f"{source.path}:{node.lineno} has the float {node.value}"
            if isinstance(node, ast.Name) and node.id == "float":
                yield f"{source.path}:{node.lineno} uses float"


def tasks_follow_commits(source: Source) -> Iterator[str]:
    """A task is sent from ``on_commit``, by its reference: never called with ``.delay(`` on the spot."""
    if not source.is_test:
        for line, name in _calls(source):
            if "." in name and name.rpartition(".")[2] in QUEUE_CALLS:
                yield f"{source.path}:{line} calls {name}"


def tests_do_not_sleep(source: Source) -> Iterator[str]:
    """A test waits for a fact with a bound (``eventually``), never for a fixed time.

    Stand-ins for other servers, which lie beside the tests, may keep a pace.
    """
    if source.is_test and (source.path.name.startswith("test_") or source.path.name == "conftest.py"):
        for node in ast.walk(source.tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in SLEEPS and node.args:
                argument = node.args[0]
                # Sleeping for zero only lets other tasks run.
                if isinstance(argument, ast.Constant) and argument.value != 0:
                    yield f"{source.path}:{node.lineno} sleeps for {argument.value!r}"


RULES: tuple[Rule, ...] = (
    functions_are_short,
    files_are_short,
    time_comes_in_as_an_argument,
    rules_of_money_are_exact,
    tasks_follow_commits,
    tests_do_not_sleep,
)


def sources() -> list[Source]:
    """Return every Python file of ours, without migrations, which are generated."""
    return [
        Source(path=PurePosixPath(path.relative_to(ROOT)), text=path.read_text())
        for folder in SOURCE_FOLDERS
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def _calls(source: Source) -> Iterator[tuple[int, str]]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call):
            yield node.lineno, ast.unparse(node.func)
