"""A run from its plan to its last cell: new or resumed, alone on the machine, interruptible."""

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from twinbench import campaign, preflight
from twinbench.calibrate.short import calibrate_short, line, warnings
from twinbench.findings import PreflightPair
from twinbench.interruption import defer_signals
from twinbench.measure import machine
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, PlanError, cells, read_plan
from twinbench.progress import CampaignProgress, status
from twinbench.remarks import remarked
from twinbench.scratch import remove_abandoned, scratch
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
# Of the machine, whoever measures and wherever their temporary files are. TWINBENCH_LOCK names
# another file, as for tests, which measure nothing that counts.
LOCK = Path("/tmp/twinbench.lock")  # noqa: S108  # opened without following links


class InterruptedRunError(Exception):
    """Ctrl-C: what is kept, and how to go on."""


def run_plan(plan_file: Path, runs: Path, *, resume: bool, console: Console) -> Store:
    """Measure all cells of a plan that are not measured yet; the run's folder.

    Raises PlanError, PreflightError, StoreError and InterruptedRunError.
    """
    plan = read_plan_here(plan_file)
    store = _to_resume(plan, plan_file, runs, console) if resume else None
    try:
        with machine_lock(), contextlib.ExitStack() as stack:
            before = _look_around(console)
            rig = stack.enter_context(Rig(plan, stack.enter_context(scratch())))
            with status(console) as on_status:
                pairs = preflight.check(plan, str(plan_file), rig, on_status)
            if store:
                _check_same_place(store, rig)
                campaign.begin_session(store)
            else:
                store = Store.create(_manifest(plan, plan_file, rig, before), runs)
            _keep(pairs, store)
            store.update_latest_link(runs.parent / "latest")
            _remark(store, _on_machine(store, before), console)
            _tell_unequal(pairs, console)
            _calibrate(store, rig, runs, console)
            console.print(f"{_intent(store)} Run folder: {store.folder}", markup=False)
            _measure(store, rig, console)
    except KeyboardInterrupt:
        raise InterruptedRunError(_interrupted(store)) from None
    return store


def read_plan_here(plan_file: Path) -> Plan:
    """Return the plan in `plan_file`, which is to be measured on this machine.

    A plan says how many processes the generator has, and stays readable where there are fewer
    cores. To start 64 of them takes one core minutes, longer than anybody waits for each.
    Raises PlanError.
    """
    plan = read_plan(plan_file)
    if plan.processes > (most := machine.usable_cores()):
        raise PlanError(
            f"{plan_file}: processes = {plan.processes}: a process of the generator can use a whole"
            f" core, and this machine has {most} for all: set processes to {most} or less"
        )
    with_open = [scenario.name for scenario in plan.scenarios if scenario.open]
    if with_open and not machine.has_timerfd():
        raise PlanError(
            f"{plan_file}: scenario '{with_open[0]}' has open loads, which need Linux (timerfd);"
            " remove its 'open', or measure on Linux"
        )
    return plan


def check_only(plan_file: Path, console: Console) -> list[PreflightPair]:
    """The preflight of a plan, and nothing else: what was compared."""
    plan = read_plan_here(plan_file)
    with machine_lock(), contextlib.ExitStack() as stack:
        rig = stack.enter_context(Rig(plan, stack.enter_context(scratch())))
        with status(console) as on_status:
            return preflight.check(plan, str(plan_file), rig, on_status)


@contextlib.contextmanager
def machine_lock() -> Iterator[None]:
    """Hold the machine's one place for measuring: two at once would measure each other.

    Removes what killed runs have left. From here on Ctrl-C is acted on where nothing is half
    done."""
    defer_signals()
    lock = Path(os.environ.get("TWINBENCH_LOCK", LOCK))
    try:
        descriptor = _opened(lock)
    except OSError as error:
        raise StoreError(f"{lock}: cannot be opened ({error.strerror}); remove it") from None
    with open(descriptor, "r+") as file:  # noqa: PTH123
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(
                f"another twinbench is measuring on this machine (process {file.read() or '?'});"
                " wait for it or stop it: two at once would measure each other"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        remove_abandoned()
        yield


def _opened(lock: Path) -> int:
    """A descriptor of the lock file, which every user of the machine may open."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        # Without O_CREAT: Linux refuses it for another user's file in a shared folder.
        return os.open(lock, flags)
    except FileNotFoundError:
        descriptor = os.open(lock, flags | os.O_CREAT, 0o666)
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, 0o666)  # whatever the umask
        return descriptor


class _Before(NamedTuple):
    """The machine before anything of ours was started; `remarks`: why something is not known."""

    load_average: float | None
    busy: list[machine.BusyProcess]
    remarks: list[str]


def _look_around(console: Console) -> _Before:
    failed: list[str] = []
    busy: list[machine.BusyProcess] = []
    unknown = "other processes before the run are not known"
    with status(console) as on_status, remarked(failed, unknown):
        on_status("looking whether the machine is busy")
        busy = machine.busy_processes()
    return _Before(machine.load_average(), busy, failed)


def _remark(store: Store, sentences: Sequence[str], console: Console) -> None:
    """Keep and print what a reader must know of the run as a whole."""
    for sentence in sentences:
        store.remark(sentence)
        console.print(f"Remark: {sentence}", markup=False)


def _on_machine(store: Store, before: _Before) -> list[str]:
    manifest = store.manifest()
    workers = max(target.workers for target in manifest.plan.targets)
    return [*machine.remarks(manifest.machine, workers, before.busy), *before.remarks]


def _keep(pairs: list[PreflightPair], store: Store) -> None:
    """The newest preflight is that of the run: a resumed one had to pass it again."""
    manifest = store.manifest()
    manifest.preflight = pairs
    store.write_manifest(manifest)


def _tell_unequal(pairs: Sequence[PreflightPair], console: Console) -> None:
    """Which pairs were not compared, or not in everything: nobody shall take them for equal."""
    for pair in pairs:
        if pair.expected_differences or pair.not_compared:
            console.print(pair.sentence, markup=False)


def _calibrate(store: Store, rig: Rig, runs: Path, console: Console) -> None:
    """Whether the instrument is right today, kept with the run; a resumed run has been told. What
    is wrong is a warning: the gates will invalidate what cannot be believed."""
    failed: list[str] = []
    with remarked(failed, "no self-check, so that this machine's floor is not known"):
        if store.calibration():
            return
        with status(console) as on_status:
            on_status("calibrating")
            found = calibrate_short(rig, runs)
        store.write_calibration(found)
        for said in (line(found), *warnings(found)):
            console.print(said, markup=False)
    with remarked(failed, "the last full calibration is left out"):
        if full := Store(runs.parent / "calibration" / "latest").calibration():
            store.write_calibration(full, FULL_CALIBRATION)
    _remark(store, failed, console)


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


def _to_resume(plan: Plan, plan_file: Path, runs: Path, console: Console) -> Store:
    """The run to go on with. Raises PlanError or StoreError where it would not be one run."""

    def remark(sentence: str) -> None:
        console.print(sentence, markup=False)

    store = campaign.unfinished(runs, plan.name, remark)
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
    then = {**manifest.versions, **manifest.machine.settings()}
    now_ = {**machine.versions(), **machine.describe(rig.cores).settings()}
    if changed := [name for name in then if then[name] != now_.get(name)]:
        raise StoreError(
            f"{store.folder.name}: begun with another {', '.join(changed)};"
            " start anew without --resume"
        )


def _manifest(plan: Plan, plan_file: Path, rig: Rig, before: _Before) -> Manifest:
    return Manifest(
        plan=plan,
        plan_file=str(plan_file),
        cells=len(cells(plan)),
        machine=machine.describe(rig.cores, before.load_average),
        versions=machine.versions(),
        sessions=[Session(started=now())],
    )


def _intent(store: Store) -> str:
    manifest, pending = store.manifest(), campaign.pending(store)
    plan, todo = manifest.plan, len(pending)
    windows_s = sum(plan.measure_s_of(cell.scenario) for cell in pending)
    seconds = windows_s + todo * (plan.warmup_s + CELL_OVERHEAD_S)
    about = f"{seconds:.0f} s"
    for unit, unit_s in (("min", 60), ("hours", 3600), ("days", 86_400)):
        if seconds > 1.5 * unit_s:
            about = f"{seconds / unit_s:,.0f} {unit}"
    kept = f"{manifest.cells - todo} of {manifest.cells} cells are kept, " * (todo < manifest.cells)
    return f"{kept}{todo} cells to measure, about {about}."
