"""Loop over the measurements of a run, new or resumed; its sessions."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from twinbench.interruption import check_interrupted
from twinbench.measure import machine
from twinbench.plan import AddedBlock, Cell, Plan, measured_together
from twinbench.store import CellRecord, Manifest, Session, Store, StoreError, now, runs_of
from twinbench.versions.result import ComparedVersions

Measure = Callable[[Sequence[Cell], Sequence[Path]], list[CellRecord]]
OnRecord = Callable[[CellRecord], None]


def new_run(
    plan: Plan,
    plan_file: str,
    cores: machine.Cores,
    runs: Path,
    load_average: float | None = None,
    began: datetime | None = None,
    compared: ComparedVersions | None = None,
    databases: Mapping[str, str] | None = None,
) -> Store:
    """Make the folder of a run of `plan` under `runs`. Raises StoreError.

    `began`: when its first session did; now, if left out. `compared`: what its targets are, if
    they are versions of one app; `databases`: version and settings of those that were started.
    """
    manifest = Manifest(
        plan=plan,
        plan_file=plan_file,
        machine=machine.describe(cores, load_average),
        versions=machine.versions() | dict(databases or {}),
        target_versions=machine.target_versions(plan),
        sessions=[Session(started=began or now())],
        compared_versions=compared,
    )
    return Store.create(manifest, runs)


def unfinished(runs: Path, plan_name: str, remark: Callable[[str], None]) -> Store | None:
    """Return the newest run of the plan `plan_name` that lacks cells.

    One that compares versions is none: their folders are gone. Calls `remark` with the reason for
    each folder that cannot be read.
    """

    def skipped(error: Exception) -> None:
        remark(f"Skipped while looking for a run to resume: {error}")

    for store in runs_of(runs, plan_name, skipped):
        try:
            if not store.manifest().compared_versions and pending(store):
                return store
        except (StoreError, OSError) as error:
            skipped(error)
    return None


def pending(store: Store) -> list[Cell]:
    """Return the measurements that are missing or were lost, in the order of the plan.

    With them those that take turns with one of these: a pair is measured as a whole.
    """
    finished = {record.number for record in store.finished()}
    manifest = store.manifest()
    return [
        cell
        for group in measured_together(manifest.plan, manifest.planned())
        if any(cell.number not in finished for cell in group)
        for cell in group
    ]


def run(store: Store, todo: Sequence[Cell], measure: Measure, on_record: OnRecord) -> None:
    """Make the measurements `todo`; write each record and pass it to `on_record`.

    An exception or Ctrl-C leaves all finished measurements on disk, and the end of the session
    in the manifest.
    """
    try:
        for group in measured_together(store.manifest().plan, todo):
            check_interrupted()
            for record in measure(group, [store.begin(cell) for cell in group]):
                store.finish(record)
                on_record(record)
    finally:
        manifest = store.manifest()
        manifest.sessions[-1].ended = now()
        store.write_manifest(manifest)


def add_blocks(store: Store, added: Sequence[AddedBlock]) -> None:
    """Add blocks to the measurements of a run."""
    manifest = store.manifest()
    manifest.added.extend(added)
    store.write_manifest(manifest)


def begin_session(store: Store, began: datetime | None = None) -> None:
    """Add a session to the manifest of a run that is resumed.

    A session that was killed has no end: the time of its last measurement is taken.
    """
    manifest = store.manifest()
    last = manifest.sessions[-1]
    last.ended = last.ended or max(last.started, store.last_written())
    manifest.sessions.append(Session(started=began or now()))
    store.write_manifest(manifest)
