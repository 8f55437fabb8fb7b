"""No file of the apps detects in which app it runs.

The same text in both apps may do different work if it asks for its own name, the thread, the event
loop or the driver, or if it changes other modules. Neither the apps nor the shared code need that:
what they must not use is listed here, with the exceptions.
"""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinbench.paths import ROOT

APPS = ("sync_app", "async_app")
FOLDERS = [ROOT / "apps" / name for name in (*APPS, "shared")]
FILES = sorted(path for folder in FOLDERS for path in folder.glob("*.py"))

# Modules that observe or change where and how code runs.
MODULES = {
    *("asyncio", "anyio", "sniffio", "contextvars", "threading", "concurrent", "multiprocessing"),
    *("sys", "gc", "os", "inspect", "types", "importlib", "builtins", "signal", "ctypes", "time"),
    "traceback",
}
NAMES = {
    *("__name__", "__file__", "__doc__", "__spec__", "__package__", "__builtins__", "__import__"),
    *("open", "globals", "locals", "vars", "setattr", "delattr", "exec", "eval", "compile", "type"),
}
ATTRIBUTES = {
    *("__module__", "__name__", "__qualname__", "__class__", "__dict__", "__globals__"),
    *("dialect", "driver", "drivername"),
    # Access to trace functions, which would hide steps from test_same_steps.py.
    *("sys", "threading", "settrace", "setprofile", "monitoring", "f_trace", "f_trace_opcodes"),
    *("tb_frame", "gi_frame", "cr_frame", "ag_frame", "f_back"),
    # Access to the disk: a worker thread may wait for it, the event loop must not.
    *("read_bytes", "write_bytes", "read_text", "write_text"),
    *("unlink", "exists", "stat", "iterdir"),
}
# Exceptions: file, name, and why.
IN_BOTH_APPS = {
    ("posts.py", "setattr"): "sets the fields that a request names",
    ("users.py", "setattr"): "sets the fields that a request names",
    ("main.py", "anyio"): "sets the number of worker threads",
    ("pictures.py", "write_bytes"): "uploads, in a thread in the async app: test_event_loop.py",
    ("pictures.py", "unlink"): "uploads, in a thread in the async app: test_event_loop.py",
}
ALLOWED = {
    **{(f"{app}/{file}", used): why for app in APPS for (file, used), why in IN_BOTH_APPS.items()},
    ("sync_app/main.py", "async def lifespan"): "Starlette has no other",
    ("sync_app/workload.py", "time"): "the route sleeps",
    ("async_app/workload.py", "asyncio"): "the route sleeps",
    ("shared/seed.py", "write_bytes"): "pictures of the demo, at startup",
    ("shared/offload.py", "anyio"): "only the async app uses it",
    ("shared/rendering.py", "__file__"): "finds the templates, the same for both",
    ("shared/sqlite.py", "time"): "simulates a slow database",
    ("shared/dialects.py", "anyio"): "connects once before the app starts",
}


def name_of(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def forbidden(path: Path, source: str) -> Iterator[tuple[str, str]]:
    """Yield file and name of each use in `source` that needs an exception."""
    for node in ast.walk(ast.parse(source)):
        if used := _used(node):
            yield name_of(path), used
        if isinstance(node, ast.AsyncFunctionDef) and path.parent.name == "sync_app":
            yield name_of(path), f"async def {node.name}"


def _used(node: ast.AST) -> str | None:
    if isinstance(node, ast.Import):
        modules = {alias.name.partition(".")[0] for alias in node.names}
        return next(iter(modules & MODULES), None)
    if isinstance(node, ast.ImportFrom) and node.module:
        top = node.module.partition(".")[0]
        return top if top in MODULES else None
    if isinstance(node, ast.Name) and node.id in NAMES:
        return node.id
    if isinstance(node, ast.Attribute) and node.attr in ATTRIBUTES:
        return node.attr
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.col_offset == 0:
        # An assignment to an attribute of another module, at the top level.
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return next((ast.unparse(t) for t in targets if isinstance(t, ast.Attribute)), None)
    return None


def test_no_file_detects_its_app() -> None:
    found = {use for path in FILES for use in forbidden(path, path.read_text(encoding="utf-8"))}
    assert found == ALLOWED.keys()


def test_no_file_has_an_exception_from_lint_or_types() -> None:
    for path in FILES:
        source = path.read_text(encoding="utf-8")
        for exception in ("noqa", "type: ignore", "mypy:", "ruff:", "isort:", "fmt:"):
            assert exception not in source, path


def test_each_app_is_imported_from_its_plain_files() -> None:
    """A folder or a compiled file of the same name would be imported instead."""
    for folder in FOLDERS[:2]:
        found = {path.name for path in folder.iterdir()} - {"__pycache__", "README.md"}
        assert found == {path.name for path in folder.glob("*.py")}
        for path in folder.glob("*.py"):
            dotted = f"apps.{folder.name}.{path.stem}".removesuffix(".__init__")
            assert Path(str(importlib.import_module(dotted).__file__)) == path


@pytest.mark.parametrize(
    ("name", "planted"),
    [
        ("shared/cpu_work.py", "import sys\n"),
        ("shared/cpu_work.py", "from asyncio import get_running_loop\n"),
        ("shared/cpu_work.py", "from threading import current_thread\n"),
        ("shared/settings.py", "TOKENS = 10 if 'sync' in __name__ else 40\n"),
        ("shared/schemas.py", "def f(x):\n    return type(x)\n"),
        ("shared/schemas.py", "def f(x):\n    return x.dialect.__class__\n"),
        ("shared/__init__.py", "import fastapi\nfastapi.routing.run_in_threadpool = None\n"),
        ("shared/__init__.py", "setattr(object, *('a', 1))\n"),
        ("sync_app/workload.py", "async def background_task(ms):\n    await sleep(ms)\n"),
        ("shared/sqlite.py", "def f(x):\n    return x.engine.driver\n"),
        ("shared/sqlite.py", "import re\nre.sys.settrace(None)\n"),
        ("shared/sqlite.py", "from threading import setprofile\nsetprofile(None)\n"),
        ("shared/sqlite.py", "def f(x):\n    x.__traceback__.tb_frame.f_trace = None\n"),
        ("shared/sqlite.py", "def f(x):\n    x.f_trace_opcodes = False\n"),
        ("sync_app/main.py", "async def http_error(): ...\n"),
        ("shared/models.py", "def f(x):\n    return x.read_bytes()\n"),
        ("sync_app/posts.py", "import asyncio\n"),
        ("async_app/pages.py", "if __doc__: pass\n"),
    ],
)
def test_drift_is_found(name: str, planted: str) -> None:
    assert set(forbidden(ROOT / "apps" / name, planted)) - ALLOWED.keys()
