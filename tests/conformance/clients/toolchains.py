"""The clients that aren't Python's: found on this machine or made once, from package registries, into a cache.

The cache lies outside the tree: `STREAMFLOW_TEST_CACHE`, or `~/.cache/streamflow-tests`. What is made is named by the
digest of what it is made from, so a new pin makes a new one; it is built aside and renamed into place, so an
interrupted download leaves nothing half made.

Rules for whoever edits this: nothing names a registry's host; the ordinary clients know where theirs is.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

HERE = Path(__file__).parent
BUILD_SECONDS = 400
QUIET_LOGS = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"


IN_CI = os.environ.get("CI") == "true"


class Missing(Exception):
    """What a client needs isn't on this machine, and why."""


def leave(reason: str) -> NoReturn:
    """Skip; where everything must be there, fail."""
    if IN_CI:
        pytest.fail(f"CI has to run this: {reason}", pytrace=False)
    pytest.skip(reason)


@dataclass(frozen=True)
class Java:
    """A JVM."""

    program: str

    def command(self, class_path: str, main: str, *options: str) -> list[str]:
        """How to run a class. The first compiler alone: these processes live for seconds, on few cores."""
        return [self.program, "-XX:TieredStopAtLevel=1", QUIET_LOGS, *options, "-cp", class_path, main]


def found(program: str) -> str:
    """Where it is. Raises: Missing."""
    path = shutil.which(program)
    if path is None:
        raise Missing(f"{program} isn't on PATH")
    return path


def java() -> Java:
    return Java(found("java"))


@cache
def kafka_jars() -> Path:
    """Apache Kafka's broker and clients: java/kafka.xml."""
    return jars("kafka", HERE / "java/kafka.xml")


@cache
def tools_jars() -> Path:
    """Apache Kafka's command-line tools: java/tools.xml."""
    return jars("kafka-tools", HERE / "java/tools.xml")


def jars(name: str, pom: Path) -> Path:
    maven = found("mvn")

    def fetch(into: Path) -> None:
        build([maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={into}"], into)

    return made(name, [pom], fetch)


def made(name: str, sources: list[Path], build_into: Callable[[Path], None]) -> Path:
    """The directory that `build_into` fills, kept for as long as the sources stay as they are.

    Raises: Missing if it can't be built here.
    """
    digest = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    home = Path(os.environ.get("STREAMFLOW_TEST_CACHE") or Path.home() / ".cache/streamflow-tests")
    home.mkdir(parents=True, exist_ok=True)
    done = home / f"{name}-{digest}"
    with (home / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            with tempfile.TemporaryDirectory(dir=home) as aside:
                build_into(Path(aside) / name)
                (Path(aside) / name).rename(done)
    return done


def build(command: list[str], cwd: Path) -> None:
    """Run a build. Raises: Missing with what it said."""
    cwd.mkdir(exist_ok=True)
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise Missing(f"{' '.join(command)} took longer than {BUILD_SECONDS} s") from None
    if done.returncode:
        raise Missing(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")


@cache
def java_program(name: str, jars: Path) -> str:
    """The class path of java/NAME.java, compiled against these jars."""
    source, compiler = HERE / f"java/{name}.java", found("javac")
    classes = made(
        f"{jars.name}-{name}",
        [source],
        lambda into: build([compiler, "-Xlint:all", "-cp", f"{jars}/*", "-d", str(into), str(source)], into),
    )
    return f"{classes}:{jars}/*"


@cache
def kcat() -> str:
    """Debian's package, installed where that is this machine's own business: in CI, as root."""
    if shutil.which("kcat") is None and os.environ.get("CI") == "true" and os.geteuid() == 0:
        installer, into = found("apt-get"), HERE
        build([installer, "update", "-qq"], into)
        build([installer, "install", "-y", "-qq", "kcat"], into)
    return found("kcat")


@cache
def node_modules() -> Path:
    """kafkajs and what it needs: node/package-lock.json."""
    npm, package = found("npm"), [HERE / "node/package.json", HERE / "node/package-lock.json"]

    def install(into: Path) -> None:
        into.mkdir()
        for file in package:
            shutil.copy(file, into)
        build([npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], into)

    return made("kafkajs", package, install) / "node_modules"


def node_program() -> list[str]:
    """How to run node/clients.js."""
    node, env = found("node"), found("env")
    return [env, f"NODE_PATH={node_modules()}", node, "--no-warnings", str(HERE / "node/clients.js")]


@cache
def go_program() -> str:
    """franz-go's: go/main.go, built."""
    go, sources = found("go"), [HERE / "go" / name for name in ("go.mod", "go.sum", "main.go")]

    def compile_into(into: Path) -> None:
        build([go, "build", "-C", str(HERE / "go"), "-o", str(into / "clients"), "."], into)

    return str(made("franz-go", sources, compile_into) / "clients")
