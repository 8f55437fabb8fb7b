"""Compare our client, Locust's FastHttpUser and wrk against the same nginx (make bench-generator).

nginx has the server's core, the generator in question the other; they take turns, because
figures of different minutes do not compare.
"""

import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from rich.console import Console

from tests.instrument import MissingDataError
from tests.instrument.measure import WRK, WRK_S, has_wrk, read_wrk
from tests.instrument.plans import USERS
from twinbench.cli.console import out
from twinbench.exchange import ExchangeError, exchange
from twinbench.interruption import EXIT_CODE, interruptible
from twinbench.job import Job, JobTarget
from twinbench.measure.generator import GeneratorFailedError, LoadGenerator
from twinbench.measure.machine import Cores, share_cores
from twinbench.measure.processes import Child
from twinbench.measure.server import HOST
from twinbench.plan import Load, Request
from twinbench.run import machine_lock
from twinbench.scratch import scratch
from twinbench.selfcheck.check import SelfCheckError, output
from twinbench.text import UserError

SECONDS = 2.0  # as wrk takes, beside
# An odd number: the median is one that was measured.
ROUNDS = 5
READY_S = 5.0
# What we ask of our client (docs/decisions/0002-own-client.md).
LEAST_RPS, LEAST_OF_FAST_HTTP, LEAST_OF_WRK = 40_000, 5.0, 0.4

NGINX = """
daemon off;
master_process off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen {host}:{port};
        location / {{ default_type text/plain; return 200 "ok"; }}
    }}
}}
"""


class Speed(NamedTuple):
    """Requests a second, and the share of its core that the generator used (where known)."""

    rps: float
    cpu: float | None


def compare_generators(console: Console) -> None:
    """Measure, and print the figures and their ratios.

    Raises UserError without nginx, and where a generator fails or prints nothing.
    """
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if nginx is None:
        raise UserError(
            "nginx is not installed (Debian: apt install nginx-light): there is no server here"
            " that is faster than the generators"
        )
    cores = share_cores()
    with scratch() as folder, _serving(nginx, folder, cores) as port:
        try:
            found = _measure(console, folder, cores, f"http://{HOST}:{port}")
        except (MissingDataError, SelfCheckError, GeneratorFailedError) as error:
            raise UserError(str(error)) from None
    _show(console, found)


def _measure(console: Console, folder: Path, cores: Cores, url: str) -> dict[str, list[Speed]]:
    driver = LoadGenerator(folder / "driver.log", cores.generator)
    generators: dict[str, Callable[[], Speed]] = {
        "twinbench": lambda: _ours(driver, url, folder),
        "FastHttpUser": lambda: _fast_http(url, cores.generator, folder),
    }
    if has_wrk():
        generators["wrk"] = lambda: _wrk(url, cores.generator, folder)
    else:
        console.print("wrk is not installed (Debian: apt install wrk): left out")
    found: dict[str, list[Speed]] = {name: [] for name in generators}
    try:
        for n in range(1, ROUNDS + 1):
            for name, measure in generators.items():
                found[name].append(measure())
            shown = ", ".join(f"{name} {speeds[-1].rps:,.0f}" for name, speeds in found.items())
            console.print(f"round {n} of {ROUNDS}, requests a second: {shown}")
    finally:
        driver.stop()
    return found


def _show(console: Console, found: dict[str, list[Speed]]) -> None:
    ours = [speed.rps for speed in found["twinbench"]]
    cpu = median(speed.cpu or 0.0 for speed in found["twinbench"])
    console.print(f"medians of {ROUNDS} rounds, {USERS} connections, one core each:")
    console.print(f"  twinbench used {cpu:.0%} of its core")
    _print_ratio(console, "requests a second", median(ours), LEAST_RPS)
    for name, least in (("FastHttpUser", LEAST_OF_FAST_HTTP), ("wrk", LEAST_OF_WRK)):
        if name in found:
            ratios = [us / them.rps for us, them in zip(ours, found[name], strict=True)]
            spread = f"rounds from {min(ratios):.2g} to {max(ratios):.2g}"
            _print_ratio(console, f"times {name}, {spread}", median(ratios), least)


def _print_ratio(console: Console, what: str, value: float, least: float) -> None:
    verdict = "reached" if value >= least else "MISSED"
    digits = 0 if value >= 100 else 2
    console.print(f"  {value:,.{digits}f} {what} (at least {least:,g}: {verdict})")


def _ours(driver: LoadGenerator, url: str, folder: Path) -> Speed:
    target = JobTarget(
        host=url,
        address=HOST,
        requests=[Request(path="/")],
        captures={},
        preconnect=USERS,
        preconnect_batch=USERS,
        records=folder / "requests.parquet",
    )
    driver.begin(
        Job(
            targets=[target],
            load=Load("closed", USERS),
            arrivals="poisson",
            in_flight=USERS,
            turns=1,
            load_s=0.5 + SECONDS,
            collapse_s=2.0,
            timeout_s=10.0,
            seed=1,
        )
    )
    driver.warm_up(0, 0.5)
    driver.measure(SECONDS)
    (summary,) = driver.finish()
    return Speed(summary.good / SECONDS, summary.generator_cpu_s / SECONDS)


def _fast_http(url: str, cores: Sequence[int], folder: Path) -> Speed:
    command = [sys.executable, "-m", "tests.benchmarks.fast_http", url, str(USERS), str(SECONDS)]
    rps, cpu = output(command, cores, folder, SECONDS).split()
    return Speed(float(rps), float(cpu))


def _wrk(url: str, cores: Sequence[int], folder: Path) -> Speed:
    return Speed(read_wrk(output([*WRK, url + "/"], cores, folder, WRK_S))["rps"], None)


@contextmanager
def _serving(nginx: str, folder: Path, cores: Cores) -> Iterator[int]:
    """Run nginx with a small page and keep-alive connections; yield its port."""
    with socket.create_server((HOST, 0)) as free:
        port: int = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, host=HOST, port=port))
    command = [nginx, "-c", str(config), "-p", str(folder)]
    child = Child(command, log=folder / "nginx.log", cores=cores.server)
    try:
        end = time.monotonic() + READY_S
        while not _answers(port):
            if child.exit_code() is not None or time.monotonic() > end:
                raise UserError(f"nginx did not start: {child.last_output()}")
            with interruptible():
                time.sleep(0.02)
        yield port
    finally:
        child.stop(1.0)


def _answers(port: int) -> bool:
    try:
        return exchange(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", HOST, port, 1.0).status == 200
    except ExchangeError:
        return False


if __name__ == "__main__":
    try:
        with machine_lock():
            compare_generators(out)
    except UserError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit(EXIT_CODE)
