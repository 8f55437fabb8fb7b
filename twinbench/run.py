"""One run of a plan, from the preflight to the last measurement: new or resumed."""

import contextlib
import fcntl
import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from twinbench import campaign
from twinbench.interruption import defer_signals
from twinbench.measure import machine
from twinbench.measure.rig import Rig
from twinbench.plan import Plan, PlanError, read_plan
from twinbench.preflight.check import check
from twinbench.preflight.result import PreflightPair
from twinbench.progress import run_progress, status
from twinbench.remarks import remarked
from twinbench.scratch import remove_abandoned, scratch
from twinbench.selfcheck.check import run_self_check, summary, warnings
from twinbench.store import Store, StoreError
from twinbench.text import duration

# Time of a measurement beside warm-up and window: server start, connecting, draining, writing.
# Measured on two cores; used for the announced duration only.
CELL_OVERHEAD_S = 0.65
# One for all users of the machine. TWINBENCH_LOCK names another file: tests set it.
LOCK = Path("/tmp/twinbench.lock")  # noqa: S108  # opened without following links


class InterruptedRunError(Exception):
    """Run interrupted by Ctrl-C or SIGTERM: what is kept, and how to resume."""


def run_plan(plan_file: Path, runs: Path, *, resume: bool, console: Console) -> Store:
    """Make all measurements of a plan that are missing and return the run folder.

    Raises PlanError, PreflightError, StoreError and InterruptedRunError.
    """
    plan = read_plan_here(plan_file)
    store = _find_unfinished(plan, plan_file, runs, console) if resume else None
    try:
        with machine_lock(), contextlib.ExitStack() as stack:
            load = _machine_load(console)
            rig = stack.enter_context(Rig(plan, stack.enter_context(scratch())))
            with status(console) as on_status:
                pairs = check(plan, str(plan_file), rig, on_status)
            if store:
                _check_same_machine(store, rig)
                campaign.begin_session(store)
            else:
                store = campaign.new_run(plan, str(plan_file), rig.cores, runs, load.load_average)
            _keep_preflight(pairs, store)
            store.update_latest_link(runs.parent / "latest")
            workers = max(target.workers for target in plan.targets)
            remarks = machine.remarks(store.manifest().machine, workers, load.busy)
            _add_remarks(store, [*remarks, *load.remarks], console)
            _print_unequal(pairs, console)
            _self_check(store, rig, runs, console)
            console.print(f"{_announcement(store)} Run folder: {store.folder}", markup=False)
            _measure(store, rig, console)
    except KeyboardInterrupt:
        raise InterruptedRunError(_interrupted(store)) from None
    return store


def read_plan_here(plan_file: Path) -> Plan:
    """Return the plan in `plan_file`. Raises PlanError if this machine cannot measure it."""
    plan = read_plan(plan_file)
    if plan.processes > (most := machine.usable_cores()):
        raise PlanError(
            f"{plan_file}: processes = {plan.processes}: each generator process needs a core, and"
            f" this machine has {most}: set processes to {most} or less"
        )
    with_open = [scenario.name for scenario in plan.scenarios if scenario.open]
    if with_open and not machine.has_timerfd():
        raise PlanError(
            f"{plan_file}: scenario '{with_open[0]}' has open loads, which need Linux (timerfd);"
            " remove its 'open', or measure on Linux"
        )
    return plan


def check_only(plan_file: Path, console: Console) -> list[PreflightPair]:
    """Run the preflight of a plan and return its comparisons."""
    plan = read_plan_here(plan_file)
    with machine_lock(), contextlib.ExitStack() as stack:
        rig = stack.enter_context(Rig(plan, stack.enter_context(scratch())))
        with status(console) as on_status:
            return check(plan, str(plan_file), rig, on_status)


@contextlib.contextmanager
def machine_lock() -> Iterator[None]:
    """Hold the machine's lock: two runs at once would disturb each other.

    Also removes scratch folders of killed runs and defers signals from here on. Raises StoreError.
    """
    defer_signals()
    lock = Path(os.environ.get("TWINBENCH_LOCK", LOCK))
    try:
        descriptor = _open_lock(lock)
    except OSError as error:
        raise StoreError(f"{lock}: cannot be opened ({error.strerror}); remove it") from None
    with open(descriptor, "r+") as file:  # noqa: PTH123
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StoreError(
                f"another twinbench is measuring on this machine (process {file.read() or '?'});"
                " wait for it or stop it: two at once would disturb each other"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        remove_abandoned()
        yield


def _open_lock(lock: Path) -> int:
    """Return a descriptor of the lock file, which every user of the machine may open."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        # Without O_CREAT: Linux refuses it for another user's file in a shared folder.
        return os.open(lock, flags)
    except FileNotFoundError:
        descriptor = os.open(lock, flags | os.O_CREAT, 0o666)
        with contextlib.suppress(PermissionError):
            os.fchmod(descriptor, 0o666)  # whatever the umask
        return descriptor


class _MachineLoad(NamedTuple):
    """Load of the machine before the run; `remarks`: why a part of it is unknown."""

    load_average: float | None
    busy: list[machine.BusyProcess]
    remarks: list[str]


def _machine_load(console: Console) -> _MachineLoad:
    failed: list[str] = []
    busy: list[machine.BusyProcess] = []
    unknown = "other processes before the run are not known"
    with status(console) as on_status, remarked(failed, unknown):
        on_status("checking the load of the machine")
        busy = machine.busy_processes()
    return _MachineLoad(machine.load_average(), busy, failed)


def _add_remarks(store: Store, remarks: Sequence[str], console: Console) -> None:
    """Keep and print remarks on the run as a whole."""
    for remark in remarks:
        store.remark(remark)
        console.print(f"Remark: {remark}", markup=False)


def _keep_preflight(pairs: list[PreflightPair], store: Store) -> None:
    """Write the preflight to the manifest; that of a resumed run replaces the earlier one."""
    manifest = store.manifest()
    manifest.preflight = pairs
    store.write_manifest(manifest)


def _print_unequal(pairs: Sequence[PreflightPair], console: Console) -> None:
    """Print the pairs that were not compared in every aspect."""
    for pair in pairs:
        if pair.expected_differences or pair.not_compared:
            console.print(pair.summary, markup=False)


def _self_check(store: Store, rig: Rig, runs: Path, console: Console) -> None:
    """Check the generator and keep the result with the run; a resumed run has one.

    A failed check is a warning: the gates decide which measurements are valid.
    """
    failed: list[str] = []
    with remarked(failed, "no self-check, so that this machine's floor is not known"):
        if store.self_check():
            return
        with status(console) as on_status:
            on_status("checking the load generator")
            found = run_self_check(rig, runs)
        store.write_self_check(found)
        for line in (summary(found), *warnings(found)):
            console.print(line, markup=False)
    _add_remarks(store, failed, console)


def _measure(store: Store, rig: Rig, console: Console) -> None:
    todo = campaign.pending(store)
    total = store.manifest().cells
    try:
        with run_progress(console, total, total - len(todo)) as on_record:
            campaign.run(store, todo, rig.measure, on_record)
    except OSError as error:
        raise StoreError(
            f"{error.filename or store.folder}: cannot be written ({error.strerror or error});"
            " what was finished is kept, --resume goes on from there"
        ) from None


def _interrupted(store: Store | None) -> str:
    if store is None:
        return "Interrupted before anything was measured."
    total, todo = store.manifest().cells, len(campaign.pending(store))
    rest = "the same command with --resume (make: RESUME=1) makes the rest"
    after = rest if todo else "'twinbench report' writes the report"
    return (
        f"Interrupted: {total - todo} of {total} measurements are kept in {store.folder}; {after}."
    )


def _find_unfinished(plan: Plan, plan_file: Path, runs: Path, console: Console) -> Store:
    """Return the run to resume. Raises PlanError or StoreError if there is none."""
    store = campaign.unfinished(runs, plan.name, functools.partial(console.print, markup=False))
    if store is None:
        raise StoreError(
            f"{runs}: there is no unfinished run of plan '{plan.name}' to resume;"
            " the report of a finished one: twinbench report"
        )
    if store.manifest().plan != plan:
        raise PlanError(
            f"{plan_file}: changed since {store.folder.name} was started; undo the change to resume"
            " it, or start again without --resume"
        )
    return store


def _check_same_machine(store: Store, rig: Rig) -> None:
    """Raise StoreError if the machine or a package version changed since the run was started."""
    manifest = store.manifest()
    before = {**manifest.versions, **manifest.machine.settings()}
    current = {**machine.versions(), **machine.describe(rig.cores).settings()}
    if changed := [name for name in before if before[name] != current.get(name)]:
        raise StoreError(
            f"{store.folder.name}: measured with another {', '.join(changed)};"
            " start again without --resume"
        )


def _announcement(store: Store) -> str:
    manifest, pending = store.manifest(), campaign.pending(store)
    plan, todo = manifest.plan, len(pending)
    windows_s = sum(plan.measure_s_of(cell.scenario) for cell in pending)
    seconds = windows_s + todo * (plan.warmup_s + CELL_OVERHEAD_S)
    done = manifest.cells - todo
    kept = f"{done} of {manifest.cells} measurements are kept, " if done else ""
    return f"{kept}{todo} measurements to make, about {duration(seconds)}."
