"""docs/side-by-side.md, written from the source files of both apps.

`python -m tools.side_by_side.page` writes it (`make docs`); a test checks that it is current.
"""

import ast
import difflib
from collections.abc import Iterator
from pathlib import Path

from tools.side_by_side.conversion import AWAITED, OFFLOADED, RENAMED, REWRITTEN, STRINGS
from tools.side_by_side.patterns import PATTERNS, Pattern

ROOT = Path(__file__).parents[2]
SYNC, ASYNC, SHARED = (ROOT / "apps" / name for name in ("sync_app", "async_app", "shared"))
PAGE = ROOT / "docs" / "side-by-side.md"
WIDTH = 79  # of a line of code (apps/ruff.toml)

HEAD = """\
# Side by side: `def` and `async def`

This page shows all differences between [`apps/sync_app`](../apps/sync_app) and
[`apps/async_app`](../apps/async_app). `make docs` writes it from their source files.

Both apps do the same work: the same responses to the byte, the same SQL, commits and files. A test
converts each file of the sync app by [four tables](#the-conversion-in-four-tables) and two rules
(each `def` becomes `async def`, each `with` becomes `async with`), and compares the syntax trees
with those of the async app.

- [When to convert](#when-to-convert)
- [Before you convert](#before-you-convert)
- [Pattern by pattern](#pattern-by-pattern)
- [The conversion in four tables](#the-conversion-in-four-tables)
- [File by file](#file-by-file)

## When to convert

Convert routes that *wait* with many concurrent users: for other services or a slow database.
Routes that compute gain nothing, and block all other requests unless the work runs in a thread.
`make bench` measures how much you gain, for which work and from which load.
[pitfalls.md](pitfalls.md) lists what goes wrong.

## Before you convert

The sync app already contains these changes. They are good in any `def` app: make them first, and
run your tests after each.

1. Set `lazy="raise"` on every relationship, and add `selectinload` to each query that then fails
   (pitfalls [1](pitfalls.md#1-lazy-load) and
   [2](pitfalls.md#2-lazy-load-hidden-by-the-identity-map)).
2. Use `sessionmaker(engine, expire_on_commit=False)`.
3. After a write, call `refresh(post, attribute_names=["author"])`, not `refresh(post)`
   ([pitfall 3](pitfalls.md#3-refresh-without-names)).
4. Create tables in a `lifespan`, not at import and not in `on_event`.
5. Install `sqlalchemy[asyncio]`, which includes greenlet, and an async driver such as `aiosqlite`.

Then convert in this order: engine and session factory, session dependency, other dependencies,
each route with everything it calls. Leave the rest `def`: an `async def` route that blocks is worse
than a `def` route ([pitfall 10](pitfalls.md#10-async-def-route-with-a-session)). Finally search for
calls that block: password hashes, pictures, files, `requests`.
"""


def page() -> str:
    """Return the page as Markdown."""
    parts = [HEAD, "## Pattern by pattern\n"]
    parts += [_pattern(pattern) for pattern in PATTERNS]
    parts += _tables()
    parts += ["## File by file\n", "`|` marks a line that differs.\n"]
    parts += [_file(path.name) for path in sorted(SYNC.glob("*.py")) if _differs(path.name)]
    return "\n".join(parts)


def _tables() -> Iterator[str]:
    yield "## The conversion in four tables\n"
    yield "**Renamed**\n"
    yield _table([(f"`{old}`", f"`{new}`") for old, new in RENAMED.items() if "." in old])
    yield "**Awaited**, as is each function of the app itself\n"
    yield _table([(f"`{call}(...)`", f"`await {_rename(call)}(...)`") for call in AWAITED])
    yield "**Offloaded**: calls that block and cannot be awaited\n"
    offloaded = [(call, f"await {_last(to)}({call}, ...)") for call, to in OFFLOADED.items()]
    yield _table([(f"`{call}(...)`", f"`{how}`") for call, how in offloaded])
    yield (
        "`run_in_threadpool` is part of FastAPI. `run_cpu` is part of this project and used by the"
        " /workload routes only: it leaves the work on the event loop unless `BLOG_CPU_OFFLOAD`"
        " moves it, so that the effect can be measured.\n"
    )
    yield "**Rewritten**\n"
    yield _table([(f"`{old}`", f"`{new}`") for old, new in {**REWRITTEN, **STRINGS}.items()])


def _rename(call: str) -> str:
    first, dot, rest = call.partition(".")
    return f"{RENAMED.get(first, first)}{dot}{rest}"


def _table(rows: list[tuple[str, str]]) -> str:
    lines = ["| `def` | `async def` |", "|---|---|"]
    lines += [f"| {one} | {other} |" for one, other in rows]
    return "\n".join(lines) + "\n"


def _pattern(pattern: Pattern) -> str:
    blocks = []
    for name, beginning in pattern.examples:
        if (SHARED / name).exists():
            code = _example(SHARED / name, beginning)
            blocks += [f"`apps/shared/{name}`, used by both", "```python", *code, "```", ""]
            continue
        one, other = (_example(folder / name, beginning) for folder in (SYNC, ASYNC))
        diff = [line for line in difflib.ndiff(one, other) if line[0] != "?"]
        blocks += [f"`{name}`", "```diff", *diff, "```", ""]
    return "\n".join([f"### {pattern.title}", "", pattern.text.strip(), "", *blocks])


def _example(path: Path, beginning: str) -> list[str]:
    """Return the lines of a function or statement of `path`, with the comment above it."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    for node in ast.parse(source).body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        if getattr(node, "name", None) == beginning or lines[first - 1].startswith(beginning):
            while lines[first - 2].startswith("#"):
                first -= 1
            return lines[first - 1 : node.end_lineno]
    raise LookupError(f"{path.name} has no '{beginning}': correct {__package__}.patterns")


def _differs(name: str) -> bool:
    return (SYNC / name).read_bytes() != (ASYNC / name).read_bytes()


def _file(name: str) -> str:
    """Return both files as text in two columns."""
    one, other = (
        (folder / name).read_text(encoding="utf-8").splitlines() for folder in (SYNC, ASYNC)
    )
    rows = [f"{'apps/sync_app/' + name:{WIDTH}}   apps/async_app/{name}", ""]
    for tag, a, b, c, d in difflib.SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        mark = " " if tag == "equal" else "|"
        for n in range(max(b - a, d - c)):
            left = one[a + n] if a + n < b else ""
            right = other[c + n] if c + n < d else ""
            rows.append(f"{left:{WIDTH}} {mark} {right}".rstrip())
    return "\n".join([f"### {name}", "", "```text", *rows, "```", ""])


def _last(dotted: str) -> str:
    return dotted.rpartition(".")[2]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
