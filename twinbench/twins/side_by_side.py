"""docs/side-by-side.md, made from the twins: `make docs` writes it, a test keeps it current."""

import ast
import difflib
from collections.abc import Iterator
from pathlib import Path

from twinbench.twins.conversion import AWAITED, OFFLOADED, RENAMED, REWRITTEN, TEXTS
from twinbench.twins.patterns import PATTERNS, Pattern

ROOT = Path(__file__).parents[2]
SYNC, ASYNC, SHARED = (ROOT / "apps" / name for name in ("sync_app", "async_app", "shared"))
PAGE = ROOT / "docs" / "side-by-side.md"
WIDTH = 79  # of a line of the twins (apps/ruff.toml)

HEAD = """\
# Side by side: `def` and `async def`

Made by `make docs`: the code on this page is copied from [`apps/sync_app`](../apps/sync_app) and
[`apps/async_app`](../apps/async_app), the words are ours.

Both apps do the same work: the same answers to the byte, the same SQL, the same commits, the same
files. What differs is on this page, all of it: a test turns every file of the sync app into its
twin by the tables [at the end](#the-whole-conversion-in-four-tables) and two rules (every `def`
becomes `async def`, every `with` becomes `async with`), and compares whole syntax trees.

**Should you?** Convert where routes *wait* with many users at once: for other services, for a
slow database. Where they compute, nothing is gained, and unless that work is handed to a thread
much is lost. How much, for which work and from which load on, is what `make bench` measures. What
goes wrong on the way is in [pitfalls.md](pitfalls.md).

## Before the first `async`

The sync app here is a step ahead of the tutorial's. These changes are good in a `def` app too;
make them first, and run your tests after each.

1. `lazy="raise"` on every relationship. What fails then needs `selectinload` in its query ([traps
   1](pitfalls.md#1-a-relationship-that-no-query-loaded) and
   [2](pitfalls.md#2-the-same-hidden-by-the-identity-map)).
2. `sessionmaker(engine, expire_on_commit=False)`.
3. After a write `refresh(post, attribute_names=["author"])`, not `refresh(post)` ([trap
   3](pitfalls.md#3-refreshpost-without-names)).
4. Tables are created in a `lifespan`, neither at import nor in `on_event`.
5. Install `sqlalchemy[asyncio]` (plain `sqlalchemy` brings no greenlet, without which no async
   engine works) and a driver that can be awaited: `aiosqlite` here.

Then, in this order: engine and session, the session's dependency, the other dependencies, and
each route with all that it calls. Whatever is not converted yet stays `def`; half a route is
worse than none ([trap 10](pitfalls.md#10-async-def-and-still-an-ordinary-session)). Last, look
for what blocks: password hashes, pictures, files, `requests`.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [HEAD, "## Pattern by pattern\n"]
    parts += [_pattern(pattern) for pattern in PATTERNS]
    parts += _tables()
    parts += ["## File by file\n", "`|` marks a line that differs.\n"]
    parts += [_file(path.name) for path in sorted(SYNC.glob("*.py")) if _differs(path.name)]
    return "\n".join(parts)


def _tables() -> Iterator[str]:
    yield "## The whole conversion, in four tables\n"
    yield "**Other names**\n"
    names = {old: new for old, new in RENAMED.items() if "." in old}
    yield _table([(f"`{old}`", f"`{new}`") for old, new in names.items()])
    yield "**Awaited**, as is every function of the app itself; nothing else is\n"
    yield _table([(f"`{call}(...)`", f"`await {_renamed(call)}(...)`") for call in AWAITED])
    yield "**Handed on**: it blocks, computing or waiting for the disk, and cannot be awaited\n"
    handed = [(call, f"await {_last(to)}({call}, ...)") for call, to in OFFLOADED.items()]
    yield _table([(f"`{call}(...)`", f"`{how}`") for call, how in handed])
    yield (
        "`run_in_threadpool` is FastAPI's. `run_cpu` is ours, for the workload routes only: it"
        " leaves them on the loop unless `BLOG_CPU_OFFLOAD` says otherwise, so that the damage"
        " can be measured.\n"
    )
    yield "**Written otherwise**\n"
    yield _table([(f"`{old}`", f"`{new}`") for old, new in {**REWRITTEN, **TEXTS}.items()])


def _renamed(call: str) -> str:
    """`call` as the async app writes it."""
    first, dot, rest = call.partition(".")
    return f"{RENAMED.get(first, first)}{dot}{rest}"


def _table(rows: list[tuple[str, str]]) -> str:
    lines = ["| `def` | `async def` |", "|---|---|"]
    lines += [f"| {one} | {other} |" for one, other in rows]
    return "\n".join(lines) + "\n"


def _pattern(pattern: Pattern) -> str:
    shown = []
    for name, place in pattern.places:
        if (SHARED / name).exists():
            code = _place(SHARED / name, place)
            shown += [f"`apps/shared/{name}`, the same for both", "```python", *code, "```", ""]
            continue
        one, other = (_place(folder / name, place) for folder in (SYNC, ASYNC))
        diff = [line for line in difflib.ndiff(one, other) if line[0] != "?"]
        shown += [f"`{name}`", "```diff", *diff, "```", ""]
    return "\n".join([f"### {pattern.title}", "", pattern.meaning.strip(), "", *shown])


def _place(path: Path, place: str) -> list[str]:
    """The function `place` of `path`, or the statement that begins so, with what is said above."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    for node in ast.parse(source).body:
        first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
        if getattr(node, "name", None) == place or lines[first - 1].startswith(place):
            while lines[first - 2].startswith("#"):
                first -= 1
            return lines[first - 1 : node.end_lineno]
    raise LookupError(f"{path.name} has no '{place}': mend twinbench/twins/patterns.py")


def _differs(name: str) -> bool:
    return (SYNC / name).read_bytes() != (ASYNC / name).read_bytes()


def _file(name: str) -> str:
    """Both files beside each other, as text."""
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
