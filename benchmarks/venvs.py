"""One virtual environment a peer, made from `requirements-PEER.txt` when it is missing or the file has changed.

Peers disagree about the versions of what they share, and none of them belongs in the project's own environment.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
INSTALL_SECONDS_MAX = 600


class NotInstalledError(Exception):
    """A peer can't be installed here; the message says why in one line."""


def python_of(peer: str) -> Path:
    """The interpreter of the peer's environment, which is made with the Python that runs this.

    Raises: NotInstalledError.
    """
    wanted = f"{sys.version}\n{(HERE / f'requirements-{peer}.txt').read_text()}"
    home = HERE / ".venvs" / peer
    python = home / "bin" / "python"
    installed = home / "installed-from.txt"
    if installed.exists() and installed.read_text() == wanted:
        return python
    try:
        _run([sys.executable, "-m", "venv", "--clear", str(home)])
        _run([str(python), "-m", "pip", "install", "--quiet", "-r", str(HERE / f"requirements-{peer}.txt")])
    except subprocess.TimeoutExpired as expired:
        raise NotInstalledError(f"installing took more than {INSTALL_SECONDS_MAX} s") from expired
    except subprocess.CalledProcessError as failed:
        raise NotInstalledError(last_line(failed.stderr) or f"pip exited with {failed.returncode}") from failed
    installed.write_text(wanted)
    return python


def last_line(text: str) -> str:
    """The last line that says something, which is where pip and tracebacks put the reason."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("[notice]")]
    return lines[-1] if lines else ""


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS_MAX)
