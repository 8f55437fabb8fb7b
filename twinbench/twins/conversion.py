"""The conversion from `def` to `async def`, complete: with these tables, and nothing else, each
file of the sync app becomes its twin. They are published in docs/side-by-side.md: they *are* the
difference.

A rule that is used nowhere is reported, so the tables stay as short as they can be.
"""

import ast
import difflib
from collections.abc import Iterable, Mapping

# What is imported, and called, by another name.
RENAMED = {
    "sqlalchemy.create_engine": "sqlalchemy.ext.asyncio.create_async_engine",
    "sqlalchemy.orm.sessionmaker": "sqlalchemy.ext.asyncio.async_sessionmaker",
    "sqlalchemy.orm.Session": "sqlalchemy.ext.asyncio.AsyncSession",
    "collections.abc.Iterator": "collections.abc.AsyncIterator",
    "httpx2.Client": "httpx2.AsyncClient",
    "time": "asyncio",
}

# Text that differs: the driver in the database's URL, the app's own name.
TEXTS = {
    "sqlite+pysqlite": "sqlite+aiosqlite",
    "sync_app": "async_app",
}

# What waits, and is awaited. Beside these: every function of the twins themselves.
AWAITED = (
    "session.execute",
    "session.scalar",
    "session.refresh",
    "session.commit",
    "session.rollback",
    "session.delete",
    "engine.dispose",
    "request.state.upstream.get",
    "time.sleep",
)

# What neither waits nor may run on the loop: CPU-bound work, and files. The async app hands it on.
OFFLOADED = {
    "hash_password": "fastapi.concurrency.run_in_threadpool",
    "verify_password": "fastapi.concurrency.run_in_threadpool",
    "profile_picture": "fastapi.concurrency.run_in_threadpool",
    "(PICTURES / name).write_bytes": "fastapi.concurrency.run_in_threadpool",
    "(PICTURES / name).unlink": "fastapi.concurrency.run_in_threadpool",
    "digest": "apps.shared.offload.run_cpu",
    "verify_demo_password": "apps.shared.offload.run_cpu",
    "fixed_thumbnail": "apps.shared.offload.run_cpu",
}

# What is written in another way altogether.
REWRITTEN = {
    "event.listen(engine, 'connect', prepare_connection)": (
        "event.listen(engine.sync_engine, 'connect', prepare_connection)"
    ),
    "create_and_seed(connection, PICTURES)": (
        "await connection.run_sync(create_and_seed, PICTURES)"
    ),
}

SYNC, ASYNC = "sync_app", "async_app"


class Conversion(ast.NodeTransformer):
    """Turns the tree of a sync file into that of its async twin, and notes each rule it used."""

    def __init__(self, own_functions: Iterable[str]) -> None:
        self._awaited = {*AWAITED, *own_functions}
        self._names = {_last(old): _last(new) for old, new in RENAMED.items()}
        self.used: set[str] = set()
        self.imports: set[str] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        return ast.AsyncFunctionDef(**dict(ast.iter_fields(node)))

    def visit_With(self, node: ast.With) -> ast.AST:
        self.generic_visit(node)
        return ast.AsyncWith(**dict(ast.iter_fields(node)))

    def visit_Call(self, node: ast.Call) -> ast.AST:
        whole, called = ast.unparse(node), ast.unparse(node.func)
        self.generic_visit(node)
        if whole in REWRITTEN:
            self.used.add(whole)
            return ast.parse(REWRITTEN[whole], mode="eval").body
        if called in OFFLOADED:
            self.used.add(called)
            self.imports.add(OFFLOADED[called])
            handed_to = ast.Name(_last(OFFLOADED[called]), ast.Load())
            return ast.Await(ast.Call(handed_to, [node.func, *node.args], node.keywords))
        if called in self._awaited:
            self.used.add(called)
            return ast.Await(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and node.value in TEXTS:
            self.used.add(node.value)
            return ast.Constant(TEXTS[node.value])
        return node

    def imported(self, names: Iterable[str]) -> set[str]:
        """What the twin imports in place of `names`."""
        self.used |= RENAMED.keys() & set(names)
        return self.imports | {
            RENAMED.get(name, name).replace(f"apps.{SYNC}", f"apps.{ASYNC}") for name in names
        }


def differences(sync: Mapping[str, str], asynchronous: Mapping[str, str]) -> list[str]:
    """Where the twins are more than a conversion apart, in words; empty if nowhere.

    Both map file names to sources.
    """
    found = [f"{name}: only in one of the twins" for name in sorted(sync.keys() ^ asynchronous)]
    own = {name for source in sync.values() for name in _functions(source)}
    used: set[str] = set()
    for name in sorted(sync.keys() & asynchronous):
        conversion = Conversion(own)
        expected = _normal(sync[name], conversion)
        found += _unlike(name, expected, _normal(asynchronous[name]))
        used |= conversion.used
    rules = {*RENAMED, *TEXTS, *AWAITED, *OFFLOADED, *REWRITTEN}
    found += [f"rule used nowhere: {rule}" for rule in sorted(rules - used)]
    return found


def _normal(source: str, conversion: Conversion | None = None) -> list[str]:
    """The lines that count: imports sorted, one a line; no comments, no module docstring."""
    tree = ast.parse(source)
    if ast.get_docstring(tree) is not None:
        tree.body = tree.body[1:]
    imported: set[str] = set()
    for node in list(tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported |= _imported(node)
            tree.body.remove(node)
    if conversion:
        tree = conversion.visit(tree)
        imported = conversion.imported(imported)
    ast.fix_missing_locations(tree)
    return [f"import {name}" for name in sorted(imported)] + ast.unparse(tree).splitlines()


def _imported(node: ast.Import | ast.ImportFrom) -> set[str]:
    module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
    return {
        f"{module}{alias.name}" + (f" as {alias.asname}" if alias.asname else "")
        for alias in node.names
    }


def _unlike(name: str, expected: list[str], actual: list[str]) -> list[str]:
    """Where `actual` is not what the conversion makes of the sync file."""
    if expected == actual:
        return []
    diff = difflib.unified_diff(
        expected, actual, f"{SYNC}/{name}, converted", f"{ASYNC}/{name}", n=2, lineterm=""
    )
    return ["\n".join(diff)]


def _functions(source: str) -> list[str]:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node.name for node in ast.parse(source).body if isinstance(node, kinds)]


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]
