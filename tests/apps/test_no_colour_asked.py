"""What the other guards cannot see: the same text in both apps that does not do the same.

A line that asks which app it is in (its own name, the thread, the loop, the driver), or that
reaches into other modules, can do anything in one of them only. Neither the twins nor what they
share has a reason to: what they may not use is listed here, and the few exceptions are.
"""

import ast
import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from twinbench.paths import ROOT

APPS = ROOT / "apps"
TWINS = [APPS / "sync_app", APPS / "async_app"]
FILES = sorted(
    path for name in ("sync_app", "async_app", "shared") for path in (APPS / name).glob("*.py")
)

# Modules that know, or change, where and how code runs.
MODULES = {
    *("asyncio", "anyio", "sniffio", "contextvars", "threading", "concurrent", "multiprocessing"),
    *("sys", "gc", "os", "inspect", "types", "importlib", "builtins", "signal", "ctypes", "time"),
}
NAMES = {
    *("__name__", "__file__", "__doc__", "__spec__", "__package__", "__builtins__", "__import__"),
    *("open", "globals", "locals", "vars", "setattr", "delattr", "exec", "eval", "compile", "type"),
}
ATTRIBUTES = {
    *("__module__", "__name__", "__qualname__", "__class__", "__dict__", "__globals__"),
    *("dialect", "driver", "drivername"),
    # The disk: a thread may wait for it, the loop must not.
    *(
        "read_bytes",
        "write_bytes",
        "read_text",
        "write_text",
        "unlink",
        "exists",
        "stat",
        "iterdir",
    ),
}
# File, what it may use all the same, and why.
ALLOWED = {
    **{
        (f"{twin}/{file}.py", "setattr"): "sets the fields that a request names"
        for twin in ("sync_app", "async_app")
        for file in ("posts", "users")
    },
    ("sync_app/main.py", "anyio"): "sets the number of threads, from the settings",
    ("async_app/main.py", "anyio"): "the same line",
    ("sync_app/workload.py", "time"): "sleeps: that is the route's work",
    ("async_app/workload.py", "asyncio"): "its twin",
    **{
        (f"{twin}/pictures.py", call): "the uploads; in a thread, as test_off_the_loop.py shows"
        for twin in ("sync_app", "async_app")
        for call in ("write_bytes", "unlink")
    },
    ("shared/seed.py", "write_bytes"): "the demo's pictures, at the start",
    ("shared/offload.py", "anyio"): "runs work elsewhere; only the async app uses it",
    ("shared/rendering.py", "__file__"): "finds the templates, which are the same for both",
    ("shared/sqlite.py", "time"): "sleeps in the database's stead",
}


def findings(path: Path, source: str) -> Iterator[str]:
    """What `source`, as the file `path`, uses that it may not."""
    name = str(path.relative_to(APPS))
    for node in ast.walk(ast.parse(source)):
        if (used := _used(node)) and (name, used) not in ALLOWED:
            yield f"{name}:{getattr(node, 'lineno', 0)}: {used}"
        if path.parent.name == "sync_app" and path.name != "main.py" and _is_async(node):
            yield f"{name}:{getattr(node, 'lineno', 0)}: async in the sync app"


def _used(node: ast.AST) -> str | None:
    """The listed thing that `node` is a use of, if it is one."""
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
    if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign):
        return _reached_into(node)
    return None


def _reached_into(node: ast.Assign | ast.AugAssign | ast.AnnAssign) -> str | None:
    """What a module's own code assigns to in another module: `lib.call = ...`, at its top level."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    outer = [target for target in targets if isinstance(target, ast.Attribute)]
    return ast.unparse(outer[0]) if outer and node.col_offset == 0 else None


def _is_async(node: ast.AST) -> bool:
    return isinstance(node, ast.AsyncFunctionDef | ast.AsyncWith | ast.AsyncFor | ast.Await)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(APPS)))
def test_no_file_asks_which_app_it_is_in(path: Path) -> None:
    assert list(findings(path, path.read_text(encoding="utf-8"))) == []


def test_nothing_is_allowed_that_is_not_used() -> None:
    used = {
        (str(path.relative_to(APPS)), what)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (what := _used(node))
    }
    assert ALLOWED.keys() == used


def test_a_twin_is_plain_files_and_those_are_what_runs() -> None:
    """A folder, or a compiled file, beside a source of its name would be imported instead."""
    for folder in TWINS:
        found = {path.name for path in folder.iterdir()} - {"__pycache__", "README.md"}
        assert found == {path.name for path in folder.glob("*.py")}
        for path in folder.glob("*.py"):
            module = importlib.import_module(
                f"apps.{folder.name}.{path.stem}".removesuffix(".__init__")
            )
            assert Path(str(module.__file__)) == path


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
        ("shared/models.py", "def f(x):\n    return x.read_bytes()\n"),
        ("sync_app/posts.py", "import asyncio\n"),
        ("async_app/pages.py", "if __doc__: pass\n"),
    ],
)
def test_a_drift_is_caught(name: str, planted: str) -> None:
    assert list(findings(APPS / name, planted))
