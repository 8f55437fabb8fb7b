"""Conversion of the sync app to the async app, as tables.

Applied to a file of the sync app, the tables and two rules (each `def` becomes `async def`, each
`with` becomes `async with`) give the file of the same name of the async app. They are published in
docs/side-by-side.md. A rule that no file needs is reported as a difference.
"""

import ast
import difflib
from collections.abc import Iterable, Mapping

# Imported and used under another name.
RENAMED = {
    "sqlalchemy.create_engine": "sqlalchemy.ext.asyncio.create_async_engine",
    "sqlalchemy.orm.sessionmaker": "sqlalchemy.ext.asyncio.async_sessionmaker",
    "sqlalchemy.orm.Session": "sqlalchemy.ext.asyncio.AsyncSession",
    "collections.abc.Iterator": "collections.abc.AsyncIterator",
    "httpx2.Client": "httpx2.AsyncClient",
    "apps.shared.upstream.requests_client": "apps.shared.upstream.aiohttp_client",
    "time": "asyncio",
}

# String constants: a client, the driver in the URL of the database, the name of the app.
STRINGS = {
    "requests": "aiohttp",
    "sqlite+pysqlite": "sqlite+aiosqlite",
    "sync_app": "async_app",
}

# Calls that are awaited, besides those of the app's own functions.
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

# Calls that block and cannot be awaited (CPU-bound work, files), and what runs them instead.
OFFLOADED = {
    "hash_password": "fastapi.concurrency.run_in_threadpool",
    "verify_password": "fastapi.concurrency.run_in_threadpool",
    "make_profile_picture": "fastapi.concurrency.run_in_threadpool",
    "(PICTURES / name).write_bytes": "fastapi.concurrency.run_in_threadpool",
    "(PICTURES / name).unlink": "fastapi.concurrency.run_in_threadpool",
    "digest": "apps.shared.offload.run_cpu",
    "verify_demo_password": "apps.shared.offload.run_cpu",
    "make_sample_thumbnail": "apps.shared.offload.run_cpu",
}

# Calls that are written differently as a whole.
REWRITTEN = {
    "event.listen(engine, 'connect', prepare_connection)": (
        "event.listen(engine.sync_engine, 'connect', prepare_connection)"
    ),
    "create_and_seed(connection, PICTURES)": (
        "await connection.run_sync(create_and_seed, PICTURES)"
    ),
}

SYNC, ASYNC = "sync_app", "async_app"


class _Conversion(ast.NodeTransformer):
    """Transformer of the tree of a sync file that records the rules it applies."""

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
        call, function = ast.unparse(node), ast.unparse(node.func)
        self.generic_visit(node)
        if call in REWRITTEN:
            self.used.add(call)
            return ast.parse(REWRITTEN[call], mode="eval").body
        if function in OFFLOADED:
            self.used.add(function)
            self.imports.add(OFFLOADED[function])
            runner = ast.Name(_last(OFFLOADED[function]), ast.Load())
            return ast.Await(ast.Call(runner, [node.func, *node.args], node.keywords))
        if function in self._awaited:
            self.used.add(function)
            return ast.Await(node)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return ast.Name(self._names.get(node.id, node.id), node.ctx)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        if isinstance(node.value, str) and node.value in STRINGS:
            self.used.add(node.value)
            return ast.Constant(STRINGS[node.value])
        return node

    def convert_imports(self, names: Iterable[str]) -> set[str]:
        """Return what the async file imports where the sync file imports `names`."""
        self.used |= RENAMED.keys() & set(names)
        return self.imports | {
            RENAMED.get(name, name).replace(f"apps.{SYNC}", f"apps.{ASYNC}") for name in names
        }


def differences(sync: Mapping[str, str], asynchronous: Mapping[str, str]) -> list[str]:
    """Return the differences that the conversion does not explain, each as text.

    Both arguments map file names to sources.
    """
    found = [f"{name}: only in one of the apps" for name in sorted(sync.keys() ^ asynchronous)]
    own_functions = {name for source in sync.values() for name in _functions(source)}
    used: set[str] = set()
    for name in sorted(sync.keys() & asynchronous):
        conversion = _Conversion(own_functions)
        expected = _normalize(sync[name], conversion)
        found += _diff(name, expected, _normalize(asynchronous[name]))
        used |= conversion.used
    rules = {*RENAMED, *STRINGS, *AWAITED, *OFFLOADED, *REWRITTEN}
    return found + [f"unused rule: {rule}" for rule in sorted(rules - used)]


def _normalize(source: str, conversion: _Conversion | None = None) -> list[str]:
    """Return the lines to compare: imports sorted, without comments and module docstring."""
    tree = ast.parse(source)
    if ast.get_docstring(tree) is not None:
        tree.body = tree.body[1:]
    imported: set[str] = set()
    for node in list(tree.body):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imported |= _imported_names(node)
            tree.body.remove(node)
    if conversion:
        tree = conversion.visit(tree)
        imported = conversion.convert_imports(imported)
    ast.fix_missing_locations(tree)
    return [f"import {name}" for name in sorted(imported)] + ast.unparse(tree).splitlines()


def _imported_names(node: ast.Import | ast.ImportFrom) -> set[str]:
    module = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
    return {
        f"{module}{alias.name}" + (f" as {alias.asname}" if alias.asname else "")
        for alias in node.names
    }


def _diff(name: str, expected: list[str], actual: list[str]) -> list[str]:
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
