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

Made by `make docs` from [`apps/sync_app`](../apps/sync_app) and
[`apps/async_app`](../apps/async_app); not written by hand, so it cannot be wrong about them.

The two apps do the same work: the same answers to the byte, the same SQL, the same commits, the
same files. A test converts every file of the sync app by the tables below and compares the result
with its twin, whole syntax trees: what stands here **is** the difference, all of it. Beside the
tables there are two rules: every `def` becomes `async def`, every `with` becomes `async with`.

What goes wrong on the way is in [pitfalls.md](pitfalls.md); what comes of it, in numbers, in the
report that `make bench` writes.
"""


def page() -> str:
    """The whole page as Markdown."""
    parts = [HEAD, *_tables(), "## Pattern by pattern\n"]
    parts += [_pattern(pattern) for pattern in PATTERNS]
    parts += ["## File by file\n", "`|` marks a line that differs.\n"]
    parts += [_file(path.name) for path in sorted(SYNC.glob("*.py")) if _differs(path.name)]
    return "\n".join(parts)


def _tables() -> Iterator[str]:
    yield "## The tables\n\n**Other names**\n"
    yield _table("`def`", "`async def`", [(f"`{old}`", f"`{new}`") for old, new in RENAMED.items()])
    yield "**Awaited**, beside every function of the twins themselves; nothing else is\n"
    yield ", ".join(f"`{name}()`" for name in AWAITED) + "\n"
    yield "**Handed on**, because it neither waits nor may run on the loop\n"
    handed = [
        (f"`{call}(...)`", f"`await {_last(to)}({call}, ...)`") for call, to in OFFLOADED.items()
    ]
    yield _table("`def`", "`async def`", handed)
    yield "**Written otherwise**\n"
    other = [(f"`{old}`", f"`{new}`") for old, new in {**REWRITTEN, **TEXTS}.items()]
    yield _table("`def`", "`async def`", other)


def _table(left: str, right: str, rows: list[tuple[str, str]]) -> str:
    lines = [f"| {left} | {right} |", "|---|---|", *(f"| {one} | {other} |" for one, other in rows)]
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
