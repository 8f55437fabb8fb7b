"""A plan carried out: every cell in its order, each kept the moment it ends."""

from collections.abc import Callable, Sequence
from pathlib import Path

from twinbench.interruption import check_interrupted
from twinbench.plan import Cell, cells
from twinbench.store import CellRecord, Session, Store, StoreError, now, runs_of

Measure = Callable[[Cell, Path], CellRecord]
Watch = Callable[[CellRecord], None]


def unfinished(runs: Path, plan_name: str, remark: Callable[[str], None]) -> Store | None:
    """Return the newest run of the plan `plan_name` that lacks cells.

    A folder that cannot be read is skipped; `remark` gets a sentence that names it.
    """

    def skipped(error: Exception) -> None:
        remark(f"Skipped while looking for a run to resume: {error}")

    for store in runs_of(runs, plan_name, skipped):
        try:
            if len(store.finished()) < store.manifest().cells:
                return store
        except (StoreError, OSError) as error:
            skipped(error)
    return None


def pending(store: Store) -> list[Cell]:
    """The cells of the run to be measured yet, lost ones among them, in their order."""
    finished = {record.number for record in store.finished()}
    return [cell for cell in cells(store.manifest().plan) if cell.number not in finished]


def run(store: Store, todo: Sequence[Cell], measure: Measure, watch: Watch) -> None:
    """Measure `todo` and keep each record; `watch` is told of each.

    Whatever ends this early, an exception or Ctrl-C, leaves all finished cells on disk, and
    the end of the session in the manifest.
    """
    try:
        for cell in todo:
            check_interrupted()
            record = measure(cell, store.begin(cell))
            store.finish(record)
            watch(record)
    finally:
        manifest = store.manifest()
        manifest.sessions[-1].ended = now()
        store.write_manifest(manifest)


def begin_session(store: Store) -> None:
    """Note that measuring goes on now, in a run that exists.

    A session that was killed has no end: its last finished cell is the best that is known.
    """
    manifest = store.manifest()
    last = manifest.sessions[-1]
    last.ended = last.ended or max(last.started, store.last_written())
    manifest.sessions.append(Session(started=now()))
    store.write_manifest(manifest)
