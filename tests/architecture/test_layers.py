"""The import contracts hold, and each of them is shown to bite."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
VIOLATIONS = [
    ("Packages import downwards only", "kernel/money.py", "import accounts"),
    ("Packages import downwards only", "trading/services.py", "import kyc"),
    ("Packages import downwards only", "quotes/services.py", "from settlement import services"),
    ("Only the ledger touches its tables", "trading/services.py", "from ledger import models"),
    ("Rules know no framework and no store", "settlement/domain.py", "from django.db import models"),
    ("Rules know no framework and no store", "trading/domain.py", "import redis"),
    (
        "What replays the bridge's log can place and move nothing",
        "ea/replay/folding.py",
        "from trading import services",
    ),
    (
        "Inside an app, edges use services, services use reads, reads use tables",
        "trading/domain.py",
        "from trading import models",
    ),
    (
        "Inside an app, edges use services, services use reads, reads use tables",
        "quotes/services.py",
        "from quotes import api",
    ),
    (
        "Inside an app, edges use services, services use reads, reads use tables",
        "ledger/selectors.py",
        "from ledger import services",
    ),
]


def _lint(folder: Path) -> subprocess.CompletedProcess[str]:
    lint = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    return subprocess.run(
        [sys.executable, "-c", lint, "--config", str(ROOT / "pyproject.toml"), "--no-cache", "--no-logo"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Packages of our names with empty rooms."""
    for package in CONTRACTS["root_packages"]:
        (tmp_path / package).mkdir()
        for room in ("__init__", "domain", "models", "locks", "selectors", "services", "api"):
            (tmp_path / package / f"{room}.py").touch()
    lists = [
        contract.get(name, ())
        for contract in CONTRACTS["contracts"]
        for name in ("source_modules", "forbidden_modules")
    ]
    # Modules that a contract names besides the rooms; what lies in a package comes before the package itself.
    for module in sorted({module for names in lists for module in names if "." in module}, reverse=True):
        path = tmp_path / module.replace(".", "/")
        if not path.is_dir():
            path.parent.mkdir(exist_ok=True)
            (path.parent / "__init__.py").touch()
            path.with_suffix(".py").touch()
    return tmp_path


def test_our_packages_keep_the_contracts() -> None:
    checked = _lint(ROOT)

    assert checked.returncode == 0, checked.stdout
    assert f"{len(CONTRACTS['contracts'])} kept, 0 broken" in checked.stdout


def test_an_empty_model_keeps_the_contracts(model: Path) -> None:
    assert _lint(model).returncode == 0


@pytest.mark.parametrize(("contract", "path", "statement"), VIOLATIONS)
def test_each_contract_bites(model: Path, contract: str, path: str, statement: str) -> None:
    (model / path).write_text(f"{statement}\n")

    checked = _lint(model)

    assert checked.returncode == 1
    assert f"{contract} BROKEN" in checked.stdout
