"""Finding a user's app, and saying what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamflow.cli.load import load_app
from streamflow.errors import AppError

GOOD = 'import streamflow as sf\napp = sf.App("good")\n'


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "some_app.py"
    path.write_text(text)
    return str(path)


def test_a_file_with_one_app_needs_no_name(tmp_path: Path) -> None:
    assert load_app(write(tmp_path, GOOD)).id == "good"


def test_one_of_several_apps_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + 'other = sf.App("other")\n')
    assert load_app(f"{path}:other").id == "other"
    with pytest.raises(AppError, match="several apps: app, other; say which"):
        load_app(path)
    with pytest.raises(AppError, match="no App called 'third'; it has: app, other"):
        load_app(f"{path}:third")


def test_a_module_is_found_by_its_name() -> None:
    assert load_app("apps.hostwatch.app").id == "hostwatch"


def test_a_syntax_error_is_shown_with_its_file_line_and_text(tmp_path: Path) -> None:
    with pytest.raises(AppError, match=r"some_app\.py line 2: .*\n    def f\(:"):
        load_app(write(tmp_path, "x = 1\ndef f(:\n"))


def test_an_error_while_importing_is_shown_with_the_users_own_line(tmp_path: Path) -> None:
    with pytest.raises(AppError, match=r"some_app\.py line 2: ZeroDivisionError: .*\n    y = 1 / 0"):
        load_app(write(tmp_path, "x = 1\ny = 1 / 0\n"))


@pytest.mark.parametrize(
    ("target", "says"),
    [
        ("nope.py", "no file 'nope.py'"),
        (".", "'.' is a directory; name the app's file in it, such as app.py"),
        (__file__.replace("test_load.py", ""), "is a directory"),
        ("pyproject.toml", "isn't a Python file"),
        ("no_such_module", "no module 'no_such_module'"),
        ("json", "has no App; write:"),
    ],
)
def test_what_is_not_there_is_said_with_what_to_write(target: str, says: str) -> None:
    with pytest.raises(AppError, match=says):
        load_app(target)


def test_what_streamflow_refuses_is_shown_with_the_users_own_line(tmp_path: Path) -> None:
    with pytest.raises(AppError, match=r"some_app\.py line 2: app id 'a b' can't prefix a topic.*\n    app = sf"):
        load_app(write(tmp_path, 'import streamflow as sf\napp = sf.App("a b")\n'))


def test_an_app_below_a_directory_of_our_name_is_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "streamflow").mkdir()
    with pytest.raises(AppError, match=r"streamflow/some_app\.py line 1: ZeroDivisionError"):
        load_app(write(tmp_path / "streamflow", "y = 1 / 0\n"))
