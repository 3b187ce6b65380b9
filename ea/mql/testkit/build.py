"""Build an expert together with its simulated terminal, once for each content, under the sanitizers."""

from __future__ import annotations

import fcntl
import hashlib
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ea.mql.testkit.rewriter import rewritten

SHIM = Path(__file__).parent / "shim"
COMMON = ("language.cpp", "hashes.cpp", "terminal.cpp", "network.cpp", "tls.cpp", "simulator.cpp")
# Without its headers the simulated terminal knows no TLS.
HAS_TLS = Path("/usr/include/openssl/ssl.h").exists()
LIBRARIES = ("-lssl", "-lcrypto") if HAS_TLS else ()
# -Wconversion stands for MetaEditor's "possible loss of data".
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wno-sign-conversion", "-Wno-unused-parameter")
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
FLAGS = ("-std=c++17", "-g1", *WARNINGS, *SANITIZERS)
# The terminal is built seldom and hashes much; an expert as it stands, so that no mistake is optimised away.
SPEED_OF_TERMINAL, SPEED_OF_EXPERT = "-O1", "-O0"


class CompileFailed(Exception):
    """The compiler refused a source; the message is its output."""


def cache_folder() -> Path:
    """Return the folder of what was built, outside of the repository."""
    folder = Path(os.environ.get("FAIRSTRIKE_EA_CACHE") or Path(tempfile.gettempdir()) / f"fairstrike-ea-{os.getuid()}")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def expert_built(path: Path) -> Path:
    """Return the program of an expert, compiled only if no program of the same content is there.

    :raises CompileFailed: the expert is not what the shim and g++ take
    """
    kind = "mql4" if path.suffix == ".mq4" else "mql5"
    text = f'#include "{kind}.hpp"\n{rewritten(path)}'
    units = [_unit(SHIM / name) for name in (*COMMON, f"{kind}.cpp")]
    units.append(_unit_of_text(text, path.stem))
    key = hashlib.sha256("".join(unit.name for unit in units).encode()).hexdigest()[:24]
    program = cache_folder() / f"{path.stem}-{kind}-{key}"
    with _once(program):
        if not program.exists():
            _run(["g++", *SANITIZERS, *map(str, units), *LIBRARIES], program)
    return program


def _unit(source: Path) -> Path:
    headers = sorted(SHIM.glob("*.hpp"))
    content = b"".join(file.read_bytes() for file in (source, *headers))
    return _compiled(source.stem, content, source, SPEED_OF_TERMINAL)


def _unit_of_text(text: str, stem: str) -> Path:
    headers = b"".join(file.read_bytes() for file in sorted(SHIM.glob("*.hpp")))
    key = hashlib.sha256(text.encode() + headers).hexdigest()[:24]
    source = cache_folder() / f"{stem}-{key}.cpp"
    with _once(source):
        if not source.exists():
            fresh = source.with_suffix(f".{os.getpid()}")
            fresh.write_text(text)
            fresh.replace(source)
    return _compiled(stem, text.encode() + headers, source, SPEED_OF_EXPERT)


def _compiled(stem: str, content: bytes, source: Path, speed: str) -> Path:
    key = hashlib.sha256(content + " ".join([*FLAGS, speed]).encode()).hexdigest()[:24]
    unit = cache_folder() / f"{stem}-{key}.o"
    with _once(unit):
        if not unit.exists():
            _run(["g++", speed, *FLAGS, "-I", str(SHIM), "-c", str(source)], unit)
    return unit


def _run(command: list[str], target: Path) -> None:
    """Let the compiler write beside the target first, so that a half-written one is never used."""
    fresh = target.with_name(f"{target.name}.{os.getpid()}")
    done = subprocess.run([*command, "-o", str(fresh)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CompileFailed(done.stderr)
    fresh.replace(target)


@contextmanager
def _once(target: Path) -> Iterator[None]:
    """Let one process at a time make a target."""
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
