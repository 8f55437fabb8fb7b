"""One run of a plan, from the preflight to the last measurement: new or resumed."""

import contextlib
import fcntl
import functools
import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from twinbench import campaign
from twinbench.analyse.more import blocks_to_measure
from twinbench.interruption import defer_signals
from twinbench.measure import machine
from twinbench.measure.busy import BusyProcess, BusyWatch
from twinbench.measure.rig import Rig
from twinbench.measure.running import refusal
from twinbench.noise import earlier_noise
from twinbench.plan import Plan, PlanError, Wishes, read_plan
from twinbench.plan.duration import (
    LEAST_BLOCKS,
    USUAL_NOISE,
    Noise,
    all_loads,
    estimated_s,
    expected_difference,
    fitted,
)
from twinbench.preflight.check import OnStatus, check
from twinbench.preflight.findings import unwritten_reasons
from twinbench.preflight.result import PreflightPair
from twinbench.progress import run_progress, status
from twinbench.remarks import remarked
from twinbench.scratch import remove_abandoned, scratch
from twinbench.selfcheck.check import run_self_check, summary, warnings
from twinbench.store import Store, StoreError, now
from twinbench.text import count, duration, parse_duration
from twinbench.versions.plan import PreparedPlan

# Measured on two cores, for a plan that has a `time`.
REPORT_AND_SELF_CHECK_S = 12.0
FEW_BLOCKS = "The plan has few blocks ({}): with fewer than 5, intervals are very wide; set {}."
RUNNING = (
    "'{0}' was running before, at {1}: it is not fresh for each block, not pinned to cores, and has"
    " no memory limit."
)
NO_PID = " Without its pid there is no telemetry of '{0}'."
# One for all users of the machine. TWINBENCH_LOCK names another file: tests set it.
LOCK = Path("/tmp/twinbench.lock")  # noqa: S108  # opened without following links


# Makes versions of the target of a plan, read from a file, in a scratch folder.
MakeVersions = Callable[[Plan, Path, Path, OnStatus], PreparedPlan]


class InterruptedRunError(Exception):
    """Run interrupted by Ctrl-C or SIGTERM: what is kept, and how to resume."""


def run_plan(
    plan_file: Path,
    runs: Path,
    wishes: Wishes | None = None,
    *,
    only: Sequence[str] = (),
    resume: bool,
    console: Console,
    watch: BusyWatch | None = None,
    remote: bool = False,
    versions: MakeVersions | None = None,
) -> Store:
    """Make all measurements of a plan that are missing and return the run folder.

    `wishes` and `only` as in `read_plan`; `watch` has begun already, if given; `remote`: running
    servers may be on other machines; `versions` makes the plan that is measured of the one in
    `plan_file`. Raises UserError, PreflightError, StoreError and InterruptedRunError.
    """
    began = now()
    plan = read_plan_here(plan_file, wishes, only, remote=remote, of_versions=bool(versions))
    _fitted(plan, plan_file, 0.0)  # a time that is too short is refused before the checks
    store = _find_unfinished(plan, plan_file, runs, console) if resume else None
    try:
        with machine_lock(), contextlib.ExitStack() as stack:
            folder, made = stack.enter_context(scratch()), PreparedPlan(plan)
            if versions:
                with status(console) as on_status:
                    made = versions(plan, plan_file, folder, on_status)
                began = now()  # installing is not in the time of the run
            _print_remarks(before := [*made.remarks, *_plan_remarks(made.plan)], console)
            load = _machine_load(watch or BusyWatch(), console)
            rig = stack.enter_context(Rig(made.plan, folder))
            rig.start_generator()
            with status(console) as on_status:
                pairs = check(made.plan, str(plan_file), rig, on_status, made.names)
            noise = earlier_noise(runs, machine.describe(rig.cores))
            if store:
                _check_same_machine(store, rig)
                campaign.begin_session(store, began)
            else:
                store = _new_run(made, plan_file, runs, rig, noise, load, began)
            rig.plan = store.manifest().plan
            store.update_latest_link(runs.parent / "latest")
            _keep_checks(store, pairs, load, before, rig.databases.remarks, console)
            _self_check(store, rig, runs, console)
            console.print(_announcement(store, rig, noise), markup=False)
            _measure(store, rig, console)
            _measure_more(store, rig, console)
    except KeyboardInterrupt:
        raise InterruptedRunError(_interrupted(store)) from None
    return store


def _new_run(
    made: PreparedPlan,
    plan_file: Path,
    runs: Path,
    rig: Rig,
    noise: Noise,
    load: "_MachineLoad",
    began: datetime,
) -> Store:
    """Make the folder of a run of what fits into the plan's time, if it has one."""
    spent_s = (now() - began).total_seconds()
    among = all_loads(made.plan) if made.versions else None
    plan = _fitted(made.plan, plan_file, spent_s, rig.start_s, rig.setup_s, noise, among)
    return campaign.new_run(
        plan,
        str(plan_file),
        rig.cores,
        runs,
        load.load_average,
        began,
        made.versions,
        rig.databases.versions,
    )


def _keep_checks(
    store: Store,
    pairs: list[PreflightPair],
    load: "_MachineLoad",
    printed: Sequence[str],
    databases: Sequence[str],
    console: Console,
) -> None:
    """Keep and print what a reader should know of plan, machine and targets.

    Remarks that are `printed` already are kept only.
    """
    _keep_preflight(pairs, store)
    manifest = store.manifest()
    workers = max(target.workers for target in manifest.plan.targets)
    of_machine = machine.remarks(manifest.machine, workers, load.busy)
    for remark in printed:
        store.remark(remark)
    fitted = [each for each in _plan_remarks(manifest.plan) if each not in printed]
    _add_remarks(store, [*fitted, *of_machine, *load.remarks, *databases], console)
    _print_unequal(pairs, console)


def _plan_remarks(plan: Plan) -> list[str]:
    """Return what a reader should know of a plan before it is measured."""
    few = []
    if plan.blocks < LEAST_BLOCKS and not (plan.precision or plan.sweep):
        more = "a longer time" if plan.time else f"blocks = {LEAST_BLOCKS} or more"
        few = [FEW_BLOCKS.format(plan.blocks, more)]
    running = [
        RUNNING.format(target.name, target.url)
        + NO_PID.format(target.name) * (target.telemetry_from == "none")
        for target in plan.targets
        if target.url
    ]
    return [*few, *running, *unwritten_reasons(plan)]


def read_plan_here(
    plan_file: Path,
    wishes: Wishes | None = None,
    only: Sequence[str] = (),
    *,
    remote: bool = False,
    of_versions: bool = False,
) -> Plan:
    """Return the plan in `plan_file`. Raises PlanError if this machine cannot measure it.

    `remote`: running servers may be on other machines. `of_versions`: the targets' interpreters
    need not exist, as versions have environments of their own.
    """
    plan = read_plan(plan_file, wishes, only)
    places = {f"services[{number}]": service for number, service in enumerate(plan.services)}
    targets = {f"targets[{number}]": target for number, target in enumerate(plan.targets)}
    for place, each in (places if of_versions else places | targets).items():
        if each.python and not each.python.is_file():
            raise PlanError(f"{plan_file}: {place}.python: there is no file {each.python}")
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
    for number, target in enumerate(plan.targets):
        if target.url and (why := refusal(target, remote=remote)):
            raise PlanError(f"{plan_file}: targets[{number}].{why}")
    return plan


def _fitted(
    plan: Plan,
    plan_file: Path,
    spent_s: float,
    start_s: float = 0.0,
    setup_s: float = 0.0,
    noise: Noise = USUAL_NOISE,
    among: int | None = None,
) -> Plan:
    """Return `plan` with the blocks and seconds that fit into its `time`, if it has one.

    Half of the time is for the blocks that its `precision` may add. Raises PlanError.
    """
    if not plan.time:
        return plan
    left_s = parse_duration(plan.time) - spent_s - REPORT_AND_SELF_CHECK_S
    usable_s = left_s / 2 if plan.precision else left_s
    if plan.precision and estimated_s(plan, start_s, setup_s) <= usable_s:
        return plan
    try:
        return fitted(plan, usable_s, start_s, noise, setup_s, among)
    except ValueError as error:
        beside = f"; {duration(spent_s + REPORT_AND_SELF_CHECK_S)} of it are for checks and report"
        half = ", and half of the rest for precision" if plan.precision else ""
        raise PlanError(
            f"{plan_file}: time = {plan.time}: {error}{beside}{half}: give more time, or fewer"
            " scenarios (--only) or loads"
        ) from None


def check_only(
    plan_file: Path, console: Console, only: Sequence[str] = (), *, remote: bool = False
) -> list[PreflightPair]:
    """Run the preflight of a plan, of scenarios `only`, and return its comparisons."""
    plan = read_plan_here(plan_file, only=only, remote=remote)
    with machine_lock(), contextlib.ExitStack() as stack:
        _print_remarks(_plan_remarks(plan), console)
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
    busy: list[BusyProcess]
    remarks: list[str]


def _machine_load(watch: BusyWatch, console: Console) -> _MachineLoad:
    with status(console) as on_status:
        on_status("checking the load of the machine")
        busy = watch.processes()
    return _MachineLoad(machine.load_average(), busy, watch.remarks)


def _add_remarks(store: Store, remarks: Sequence[str], console: Console) -> None:
    """Keep and print remarks on the run as a whole."""
    for remark in remarks:
        store.remark(remark)
    _print_remarks(remarks, console)


def _print_remarks(remarks: Sequence[str], console: Console) -> None:
    for remark in remarks:
        console.print(f"Remark: {remark}", markup=False)


def _keep_preflight(pairs: list[PreflightPair], store: Store) -> None:
    """Write the preflight to the manifest; that of a resumed run replaces the earlier one."""
    manifest = store.manifest()
    manifest.preflight = pairs
    store.write_manifest(manifest)


def _print_unequal(pairs: Sequence[PreflightPair], console: Console) -> None:
    """Print the pairs that were not compared in every aspect."""
    for pair in pairs:
        if pair.expected_differences or pair.missing or pair.declared:
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
    total = len(store.manifest().planned())
    try:
        with run_progress(console, total, total - len(todo)) as on_record:
            campaign.run(store, todo, rig.measure, on_record)
    except OSError as error:
        raise StoreError(
            f"{error.filename or store.folder}: cannot be written ({error.strerror or error});"
            " what was finished is kept, --resume goes on from there"
        ) from None


def _measure_more(store: Store, rig: Rig, console: Console) -> None:
    """Add blocks for what the machine disturbed, then for the plan's precision."""
    failed: list[str] = []
    with remarked(failed, "no block was added for disturbed measurements or precision"):
        while added := blocks_to_measure(store):
            campaign.add_blocks(store, added)
            loads = count(sum(len(each.loads) for each in added), "load")
            why = "disturbed by the machine" if added[0].reason == "disturbed" else "for precision"
            console.print(f"Measuring {loads} again ({why}).", markup=False)
            _measure(store, rig, console)
    _add_remarks(store, failed, console)


def _interrupted(store: Store | None) -> str:
    if store is None:
        return "Interrupted before anything was measured."
    total, todo = len(store.manifest().planned()), len(campaign.pending(store))
    after = "'twinbench report' writes the report"
    if todo and not store.manifest().compared_versions:
        after = "the same command with --resume (make: RESUME=1) makes the rest"
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
    begun = store.manifest().plan
    chosen = {"blocks": begun.blocks, "measure_s": begun.measure_s} if plan.time else {}
    current = plan.model_copy(update=chosen)
    changed = [key for key in Plan.model_fields if getattr(begun, key) != getattr(current, key)]
    if changed:
        raise PlanError(
            f"{plan_file}: {', '.join(changed)} changed since"
            f" {store.folder.name} was started; undo the change to resume it (--only, --blocks,"
            " --time, --precision as then), or start again without --resume"
        )
    return store


def _check_same_machine(store: Store, rig: Rig) -> None:
    """Raise StoreError if the machine or a package version changed since the run was started."""
    manifest = store.manifest()
    before = {**manifest.versions, **manifest.target_versions, **manifest.machine.settings()}
    current = {
        **machine.versions(),
        **rig.databases.versions,
        # What is not known, as of an interpreter that is too slow, has not changed.
        **{n: v or before.get(n) for n, v in machine.target_versions(manifest.plan).items()},
        **machine.describe(rig.cores).settings(),
    }
    if changed := [name for name in before if before[name] != current.get(name)]:
        raise StoreError(
            f"{store.folder.name}: measured with another {', '.join(changed)};"
            " start again without --resume"
        )


def _announcement(store: Store, rig: Rig, noise: Noise) -> str:
    """Return what will be measured, for how long, and which difference it will probably show."""
    manifest, todo = store.manifest(), len(campaign.pending(store))
    plan, total = manifest.plan, len(manifest.planned())
    done = total - todo
    kept = f"{done} of {total} measurements are kept, " if done else ""
    estimate_s = estimated_s(plan, rig.start_s, rig.setup_s)
    lines = [
        f"{kept}{todo} measurements to make in {count(plan.blocks, 'block')}, about"
        f" {duration(estimate_s * todo / total)}. Run folder: {store.folder}"
    ]
    compares = any(len(plan.targets_of(scenario)) > 1 for scenario in plan.scenarios)
    if compares and not plan.sweep:
        among = all_loads(plan) if manifest.compared_versions else None
        expected = expected_difference(plan, noise, among)
        shown = f"of {expected:.0%} or more" if expected < 1 else "of more than 2x"
        lines.append(f"Differences {shown} will probably be shown (noise of {noise.source}).")
    return "\n".join(lines)
