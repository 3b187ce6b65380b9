"""``platform/`` is a second source root and never a package: the standard library owns that name."""

import importlib.util
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE_ROOTS = (ROOT, ROOT / "platform", ROOT / "verify")
GUARD = ROOT / ".ci" / "no_python_in_platform"
FIRST_PARTY = sorted(
    init.parent.name
    for source_root in SOURCE_ROOTS
    for init in source_root.glob("*/__init__.py")
    if init.parent.name != "tests"
)


def test_platform_is_the_standard_library() -> None:
    assert Path(platform.__file__).parent == Path(sysconfig.get_paths()["stdlib"])


def test_no_python_file_lies_directly_in_platform() -> None:
    assert sorted(path.name for path in (ROOT / "platform").glob("*.py*")) == []


def test_the_packages_are_those_of_the_layout() -> None:
    assert set(FIRST_PARTY) == {
        *("config", "kernel", "accounts", "ledger", "realtime"),
        *("quotes", "trading", "settlement", "payments", "kyc", "tournaments", "ea"),
        "fairstrike_verify",
    }


@pytest.mark.parametrize("name", FIRST_PARTY)
def test_package_comes_from_a_source_root(name: str) -> None:
    """No dependency may install a package of one of our names before ours."""
    spec = importlib.util.find_spec(name)

    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin) in {root / name / "__init__.py" for root in SOURCE_ROOTS}


def test_the_commit_guard_refuses_a_file_in_platform(tmp_path: Path) -> None:
    (tmp_path / "platform").mkdir()
    clean = subprocess.run([GUARD], cwd=tmp_path, capture_output=True, text=True, check=False)
    (tmp_path / "platform" / "__init__.py").touch()
    broken = subprocess.run([GUARD], cwd=tmp_path, capture_output=True, text=True, check=False)

    assert clean.returncode == 0
    assert broken.returncode == 1
    assert "platform/__init__.py" in broken.stdout


def test_why_the_guard_exists(tmp_path: Path) -> None:
    """With ``platform/__init__.py`` beside a script, the standard library's module is gone."""
    (tmp_path / "platform").mkdir()
    (tmp_path / "platform" / "__init__.py").touch()
    script = tmp_path / "script.py"
    script.write_text("import platform; platform.system()")

    broken = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)

    assert "AttributeError" in broken.stderr
