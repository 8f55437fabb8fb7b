"""`twinbench init`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from twinbench.cli.console import Remote, ask, is_interactive, out
from twinbench.paths import OWN_PLAN

if TYPE_CHECKING:
    from twinbench.init.explore import Exploration
    from twinbench.init.plan_text import PlanDraft

# Beside the measurements of a run: preflight, self-check and report.
CHECKS_AND_REPORT_S = 25.0
MAX_PRINTED = 8
MAX_NAME = 40  # as a plan takes; of a long one its beginning

Folders = tuple[Path | None, Path | None]

Folder = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Folder of that app. Default: this folder.")
]
Python = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Its interpreter. Default: .venv/bin/python of its folder, else of this one, else"
        " that of twinbench.",
    ),
]
Server = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        show_default=False,
        help="What serves it: uvicorn, granian, hypercorn or gunicorn (a WSGI app too), installed"
        " where the app is. Default: uvicorn.",
    ),
]
Variables = Annotated[list[str], typer.Option(metavar="NAME=VALUE", help="Variable of that app.")]


def init(
    before: Annotated[
        str,
        typer.Argument(
            metavar="BEFORE",
            show_default=False,
            help="The first app, the baseline: an import string (shop.main:app), a URL"
            " (http://127.0.0.1:8000), or a command line (--command).",
        ),
    ] = "",
    after: Annotated[
        str,
        typer.Argument(
            metavar="AFTER",
            show_default=False,
            help="The second app. Left out: both are in BEFORE, under two paths, or versions of"
            " BEFORE are compared.",
        ),
    ] = "",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The plan to write.")
    ] = OWN_PLAN,
    force: Annotated[bool, typer.Option("--force", help="Overwrite FILE.")] = False,
    prefix: Annotated[
        list[str],
        typer.Option(
            metavar="WORD",
            help="Part of the paths that differs in one app, given twice: --prefix sync --prefix"
            " async for /sync/users and /async/users. Default: found in its OpenAPI.",
        ),
    ] = [],  # noqa: B006  # typer copies it
    command: Annotated[
        bool,
        typer.Option(
            "--command", help="BEFORE and AFTER are command lines that serve on port {port}."
        ),
    ] = False,
    before_dir: Folder = None,
    after_dir: Folder = None,
    before_python: Python = None,
    after_python: Python = None,
    before_server: Server = "",
    after_server: Server = "",
    env: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUE",
            help="Environment variable of both apps, repeatable; {scratch} in it is a fresh folder"
            " for every server.",
        ),
    ] = [],  # noqa: B006
    before_env: Variables = [],  # noqa: B006
    after_env: Variables = [],  # noqa: B006
    ready: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="Path that responds with 200 once the app is ready: /health.",
        ),
    ] = "",
    openapi: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="Path of the OpenAPI document. Default: /openapi.json, else where /docs has it.",
        ),
    ] = "",
    path: Annotated[
        list[str],
        typer.Option(
            metavar="PATH",
            help="Path to measure, repeatable. Default: GET routes that respond with 2xx.",
        ),
    ] = [],  # noqa: B006
    locustfile: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Locustfile whose users are the load, not routes."),
    ] = None,
    remote: Remote = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nothing. Questions are asked only on a terminal.")
    ] = False,
) -> None:
    """Write a plan for your apps: start each once, and look which routes work."""
    from twinbench.init.explore import Wanted, explore
    from twinbench.init.targets import Given, environment, targets_of
    from twinbench.progress import status

    _check_output(output, force=force)
    _check_locustfile(locustfile, excluded=bool(path or openapi or prefix))
    apps, folders = (before, after), (before_dir, after_dir)
    if is_interactive() and not (yes or prefix):
        apps, folders = _questions(apps, folders)
    both = environment(env, "--env")
    given = Given(
        apps=tuple(filter(None, apps)),
        command=command,
        folders=folders,
        pythons=(before_python, after_python),
        servers=(before_server, after_server),
        envs=(
            both | environment(before_env, "--before-env"),
            both | environment(after_env, "--after-env"),
        ),
        prefixes=tuple(prefix),
        ready=ready,
    )
    wanted = Wanted(tuple(path), openapi, routes=not locustfile, remote=remote)
    with status(out) as on_status:
        found = explore(targets_of(given), wanted, on_status)
    _write(output, found, locustfile)


def _questions(apps: tuple[str, str], folders: Folders) -> tuple[tuple[str, str], Folders]:
    """Return apps and folders, those that are missing from the user."""
    before = apps[0] or ask("First app, the baseline (such as shop_sync.main:app):")
    after = apps[1] or ask("Second app (empty: there is none):")
    if before and before == after and not any(folders):
        answers = [
            ask(f"Folder of the {which} app (empty: this one):") for which in ("first", "second")
        ]
        folders = (Path(answers[0] or "."), Path(answers[1] or "."))
    return (before, after), folders


def _check_output(output: Path, *, force: bool) -> None:
    """Raise InitError if the plan cannot be written: before anything is started."""
    from twinbench.init.targets import InitError

    if output.is_dir() or not output.absolute().parent.is_dir():
        raise InitError(f"{output}: not a file in an existing folder; name another with --output")
    if os.path.lexists(output) and not force:
        raise InitError(f"{output} exists: --force overwrites it, --output FILE writes another one")


def _check_locustfile(locustfile: Path | None, *, excluded: bool) -> None:
    from twinbench.init.targets import InitError

    if locustfile and excluded:
        raise InitError("--locustfile names the requests: leave --path, --openapi, --prefix out")
    if locustfile and not locustfile.is_file():
        what = "is a folder: name a file" if locustfile.is_dir() else "there is no such file"
        raise InitError(f"--locustfile {locustfile}: {what}")


def _write(output: Path, found: "Exploration", locustfile: Path | None) -> None:
    from twinbench.init.plan_text import TIME_OF_VERSIONS, plan_text, shortened
    from twinbench.store import atomic_write
    from twinbench.text import duration, parse_duration

    draft = shortened(_draft(output, found, locustfile), found.start_s)
    takes_s = draft.takes_s(found.start_s) + CHECKS_AND_REPORT_S
    if draft.is_of_versions:
        takes_s = parse_duration(TIME_OF_VERSIONS)
    takes = f"about {duration(takes_s)}"
    atomic_write(output, plan_text(draft, output, takes))
    _print_summary(output, draft, takes)


def _draft(output: Path, found: "Exploration", locustfile: Path | None) -> "PlanDraft":
    from twinbench.init.plan_text import PlanDraft, ScenarioDraft, scenario_name, scenarios_of

    stem = output.stem if output.name != OWN_PLAN.name else output.absolute().parent.name
    if locustfile:
        scenarios = [ScenarioDraft(name=scenario_name(locustfile.stem), locustfile=locustfile)]
    else:
        scenarios = scenarios_of(found.working)
    return PlanDraft(
        name=scenario_name(stem[:MAX_NAME]),
        targets=found.targets,
        scenarios=scenarios,
        left_out=found.left_out,
        writing=found.writing,
        token_path=found.token_path,
    )


def _print_summary(output: Path, draft: "PlanDraft", takes: str) -> None:
    """Print what the plan holds, what was left out, and the commands that follow."""
    from twinbench.init.plan_text import BLOCKS, next_commands
    from twinbench.text import count

    lines = [f"Wrote {output}."]
    for target in draft.targets:
        app = next(target.table[key] for key in ("app", "command", "url") if key in target.table)
        shown = " ".join(app) if isinstance(app, list) else app
        where = f" in {os.path.relpath(target.table['cwd'])}" if "cwd" in target.table else ""
        python = f", {os.path.relpath(target.table['python'])}" if "python" in target.table else ""
        prefix = f", prefix {target.prefix}" if target.prefix else ""
        lines.append(f"  {target.name}: {shown}{where}{python}{prefix}")
    titles = [each.title or str(each.locustfile) for each in draft.scenarios]
    lines.append(f"{count(len(titles), 'scenario')}: {', '.join(titles)}")
    left_out = [f"{each.label} ({each.why})" for each in draft.left_out]
    not_measured = [*left_out, *(f"{label} (one scenario too many)" for label in draft.unused)]
    if not_measured:
        more = len(not_measured) - MAX_PRINTED
        rest = f"; and {more} more, in comments of the plan" if more > 0 else ""
        lines.append(f"Left out: {', '.join(not_measured[:MAX_PRINTED])}{rest}")
    users = f"{', '.join(map(str, draft.loads))} users"
    if draft.is_of_versions:
        lines.append(f"Two versions of it from git are compared in {takes}: {users}.")
    else:
        lines.append(f"A run takes {takes}: {users}, {BLOCKS} blocks, both targets.")
    lines += ["Next:", *(f"  {command}" for command in next_commands(draft, output))]
    for line in lines:
        out.print(line, markup=False)
