"""A run from its plan to its last cell: new or resumed, alone on the machine, interruptible."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from twinbench import campaign, preflight
from twinbench.calibrate.short import calibrate_short, line, warnings
from twinbench.findings import PreflightPair
from twinbench.measure import machine
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, PlanError, cells, read_plan
from twinbench.progress import CampaignProgress, telling
from twinbench.remarks import remarked
from twinbench.store import (
    FULL_CALIBRATION,
    CellRecord,
    Manifest,
    Session,
    Store,
    StoreError,
    now,
)

# Per cell, beside warm-up and window: its share of server starts, connecting, draining, writing
# (seen on two cores; for the announcement only).
CELL_OVERHEAD_S = 0.65
LOCK = f"twinbench-{os.getuid()}.lock"


class InterruptedRunError(Exception):
    """Ctrl-C: what is kept, and how to go on."""


def carry_out(plan_file: Path, runs: Path, *, resume: bool, console: Console) -> Store:
    """Measure all cells of a plan that are not measured yet; the run's folder.

    Raises PlanError, PreflightError, StoreError and InterruptedRunError.
    """
    plan = read_plan(plan_file)
    store = _to_resume(plan, plan_file, runs) if resume else None
    try:
        with alone(), contextlib.ExitStack() as stack:
            rig = stack.enter_context(Rig(plan, _logs(stack)))
            with telling(console) as tell:
                pairs = preflight.check(plan, str(plan_file), rig, tell)
            if store:
                _check_same_place(store, rig)
                campaign.begin_session(store)
            else:
                store = Store.create(_manifest(plan, plan_file, rig), runs)
            _keep(pairs, store)
            store.point_latest_here(runs.parent / "latest")
            _tell_unequal(pairs, console)
            _calibrate(store, rig, runs, console)
            console.print(f"{_intent(store)} Run folder: {store.folder}", markup=False)
            _measure(store, rig, console)
    except KeyboardInterrupt:
        raise InterruptedRunError(_interrupted(store)) from None
    return store


def check_only(plan_file: Path, console: Console) -> list[PreflightPair]:
    """The preflight of a plan, and nothing else: what was compared."""
    plan = read_plan(plan_file)
    with alone(), contextlib.ExitStack() as stack:
        rig = stack.enter_context(Rig(plan, _logs(stack)))
        with telling(console) as tell:
            return preflight.check(plan, str(plan_file), rig, tell)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Hold the machine's one place for measuring: two at once would measure each other."""
    lock = Path(tempfile.gettempdir()) / LOCK
    try:
        file = lock.open("a+")
    except OSError as error:
        raise StoreError(f"{lock}: cannot be opened ({error.strerror}); remove it") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise StoreError(
                f"another twinbench is measuring on this machine (process {file.read() or '?'});"
                " wait for it or stop it: two at once would measure each other"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def _keep(pairs: list[PreflightPair], store: Store) -> None:
    """The newest preflight is that of the run: a resumed one had to pass it again."""
    manifest = store.manifest()
    manifest.preflight = pairs
    store.write_manifest(manifest)


def _tell_unequal(pairs: Sequence[PreflightPair], console: Console) -> None:
    """Which pairs were not compared, or not in everything: nobody shall take them for equal."""
    for pair in pairs:
        if pair.differs or pair.not_compared:
            console.print(pair.sentence, markup=False)


def _calibrate(store: Store, rig: Rig, runs: Path, console: Console) -> None:
    """Whether the instrument is right today, kept with the run; a resumed run has been told. What
    is wrong is a warning: the gates will void what cannot be believed."""
    failed: list[str] = []
    with remarked(failed, "no self-check, so that this machine's floor is not known"):
        if store.calibration():
            return
        with telling(console) as tell:
            tell("calibrating")
            found = calibrate_short(rig, runs)
        store.write_calibration(found)
        for said in (line(found), *warnings(found)):
            console.print(said, markup=False)
    with remarked(failed, "the last full calibration is left out"):
        if full := Store(runs.parent / "calibration" / "latest").calibration():
            store.write_calibration(full, FULL_CALIBRATION)
    for sentence in failed:
        store.remark(sentence)
        console.print(f"Remark: {sentence}", markup=False)


def _measure(store: Store, rig: Rig, console: Console) -> None:
    todo = campaign.pending(store)
    total = store.manifest().cells
    progress = CampaignProgress(console, total, total - len(todo))

    def watch(record: CellRecord) -> None:
        progress.update(record)
        if record.outcome == "lost":
            console.print(f"lost: {record.label}: {record.reason}", markup=False)

    try:
        with progress:
            campaign.run(store, todo, rig.measure, watch)
    except OSError as error:
        raise StoreError(
            f"{error.filename or store.folder}: cannot be written ({error.strerror or error});"
            " what was finished is kept, --resume goes on from there"
        ) from None


def _interrupted(store: Store | None) -> str:
    if store is None:
        return "Interrupted before anything was measured."
    total, todo = store.manifest().cells, len(campaign.pending(store))
    rest = "the same command with --resume (make: RESUME=1) measures the rest"
    after = rest if todo else "'twinbench report' makes the report"
    return f"Interrupted: {total - todo} of {total} cells are kept in {store.folder}; {after}."


def _to_resume(plan: Plan, plan_file: Path, runs: Path) -> Store:
    """The run to go on with. Raises PlanError or StoreError where it would not be one run."""
    store = campaign.unfinished(runs, plan.name)
    if store is None:
        raise StoreError(
            f"{runs}: there is no unfinished run of plan '{plan.name}' to resume;"
            " the report of a finished one: twinbench report"
        )
    if store.manifest().plan != plan:
        raise PlanError(
            f"{plan_file}: changed since {store.folder.name} was begun; undo the change to"
            " resume that run, or start anew without --resume"
        )
    return store


def _check_same_place(store: Store, rig: Rig) -> None:
    """One run is measured on one machine with one set of packages."""
    manifest = store.manifest()
    then = {**manifest.versions, **manifest.machine.model_dump()}
    now_ = {**machine.versions(), **machine.describe(rig.cores).model_dump()}
    if changed := [name for name in then if then[name] != now_.get(name)]:
        raise StoreError(
            f"{store.folder.name}: begun with another {', '.join(changed)};"
            " start anew without --resume"
        )


def _manifest(plan: Plan, plan_file: Path, rig: Rig) -> Manifest:
    return Manifest(
        plan=plan,
        plan_file=str(plan_file),
        cells=len(cells(plan)),
        machine=machine.describe(rig.cores),
        versions=machine.versions(),
        sessions=[Session(started=now())],
    )


def _intent(store: Store) -> str:
    manifest, pending = store.manifest(), campaign.pending(store)
    plan, todo = manifest.plan, len(pending)
    windows_s = sum(plan.measure_s_of(cell.scenario) for cell in pending)
    seconds = windows_s + todo * (plan.warmup_s + CELL_OVERHEAD_S)
    about = f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
    kept = f"{manifest.cells - todo} of {manifest.cells} cells are kept, " * (todo < manifest.cells)
    return f"{kept}{todo} cells to measure, about {about}."


def _logs(stack: contextlib.ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="twinbench-log-")))
