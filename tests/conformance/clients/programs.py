"""Programs in other languages that stay for the session and are talked to in lines of JSON."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

STDERR_LINES = 40


class ProgramFailed(Exception):
    """It said that something went wrong, said nothing in time, or ended."""


class Conversation:
    """One process: an order is a line, its answer is a line. What it says on stderr goes to a file.

    It starts with the first order, and again after it has ended.
    """

    def __init__(self, command: list[str], log: Path) -> None:
        self._command, self._log = command, log
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.Queue[str] = queue.Queue()

    def ask(self, order: Mapping[str, Any], seconds: float) -> Any:
        """Raises: ProgramFailed if there is no answer in time."""
        orders = self._running().stdin
        assert orders is not None
        orders.write(json.dumps(order) + "\n")
        orders.flush()
        try:
            line = self._answers.get(timeout=seconds)
        except queue.Empty:
            self.stop()
            raise ProgramFailed(f"no answer in {seconds} s to {order}\n{self.said()}") from None
        if not line:
            self.stop()
            raise ProgramFailed(f"the program ended at {order}\n{self.said()}")
        return json.loads(line)

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            with self._log.open("ab") as errors:
                self._process = subprocess.Popen(
                    self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
                )
            self._answers = queue.Queue()
            threading.Thread(target=listen, args=(self._process.stdout, self._answers), daemon=True).start()
        return self._process

    def said(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-STDERR_LINES:])

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(20)
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process = None


def listen(said: IO[str], answers: queue.Queue[str]) -> None:
    """Hands on each line, and an empty one at the end."""
    with said:
        for line in said:
            answers.put(line)
    answers.put("")


def run(command: list[str], seconds: float, stdin: str = "") -> str:
    """What a program printed by its end. Raises: ProgramFailed if that wasn't a good one."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as late:
        raise ProgramFailed(f"{command} took longer than {seconds} s\n{late.stdout!r}\n{late.stderr!r}") from None
    if done.returncode:
        raise ProgramFailed(f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout
