"""Finds the app that a user names: `app.py`, `app.py:name`, `module` or `module:name`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType

from streamflow.app import App
from streamflow.errors import AppError, StreamflowError

PACKAGE = Path(__file__).parents[1]


def load_app(target: str) -> App:
    """Raises: AppError for what can't be found, imported or told apart, with the user's own line where there is one."""
    place, _, name = target.partition(":")
    path = Path(place)
    if path.is_dir() and not (path / "__init__.py").exists():
        raise AppError(f"'{place}' is a directory; name the app's file in it, such as {path / 'app.py'}")
    if place.endswith(".py") or "/" in place or path.is_file():
        module = _load_file(path)
    else:
        module = _load_module(place)
    return _pick(module, name, target)


def _load_file(path: Path) -> ModuleType:
    if path.suffix != ".py" and path.is_file():
        raise AppError(f"'{path}' isn't a Python file; name one, such as app.py, or module:app")
    if not path.is_file():
        raise AppError(f"there is no file '{path}'; name a Python file, or module:app")
    for folder in (str(Path.cwd()), str(path.resolve().parent)):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None, "a .py file has a loader"
    assert spec.loader is not None, "a .py file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise _syntax(error) from error
    except Exception as error:
        raise _failed(str(path), error) from error
    return module


def _load_module(name: str) -> ModuleType:
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and name.startswith(error.name):
            raise AppError(f"there is no module '{name}'; name a file such as app.py, or module:app") from error
        raise _failed(name, error) from error
    except SyntaxError as error:
        raise _syntax(error) from error
    except Exception as error:
        raise _failed(name, error) from error


def _syntax(error: SyntaxError) -> AppError:
    text = (error.text or "").rstrip()
    return AppError(f"{error.filename} line {error.lineno}: {error.msg}\n    {text.strip()}")


def _failed(where: str, error: Exception) -> AppError:
    """The last line of the user's own code, not of what it called."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "importlib" not in f.filename and not Path(f.filename).is_relative_to(PACKAGE)]
    at = f"{own[-1].filename} line {own[-1].lineno}: " if own else f"{where}: "
    line = f"\n    {own[-1].line}" if own and own[-1].line else ""
    what = str(error) if isinstance(error, StreamflowError) else f"{type(error).__name__}: {error}"
    return AppError(f"{at}{what}{line}")


def _pick(module: ModuleType, name: str, target: str) -> App:
    apps = {n: v for n, v in vars(module).items() if isinstance(v, App)}
    if name:
        if name not in apps:
            raise AppError(f"'{target}': there is no App called '{name}'; it has: {', '.join(apps) or 'none'}")
        return apps[name]
    if len({id(a) for a in apps.values()}) == 1:
        return next(iter(apps.values()))
    if not apps:
        raise AppError(f"'{target}' has no App; write: app = sf.App(\"my-app\")")
    raise AppError(f"'{target}' has several apps: {', '.join(apps)}; say which, e.g. {target}:{next(iter(apps))}")
