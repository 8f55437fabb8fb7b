"""Items 3 and 4. Queues with Poisson arrivals: the mean wait, as theory has it.

Twice: against the formula, where chance has its say (a queue is a slow random walk), and against
the waits of these very arrivals and services, where it has none.
"""

from typing import NamedTuple

import numpy as np

from twinbench.calibrate import NoEvidenceError, theory
from twinbench.calibrate.evidence import Evidence, Seen
from twinbench.calibrate.items.matching import Matched, counted, matched
from twinbench.calibrate.plans import PLACES, SERIAL
from twinbench.calibrate.theory import Mean, Values
from twinbench.calibrate.verdict import Judged, Known, between, within
from twinbench.findings import Check, Picture, Series

OFF = 0.05  # issue 4
SHOWN = np.linspace(0, 99.5, 60)  # percentiles that the picture of waits goes through


class Queue(NamedTuple):
    """One cell. Times in ms; `load`: share of its time that each place was occupied."""

    load: float
    theory: float
    exact: float  # of these very arrivals and services, from the sending on
    exact_read: Mean
    waits: Values  # as measured, in the order of sending
    read: Mean


def serial(evidence: Evidence) -> Judged:
    """Item 3: mean wait against Pollaczek-Khinchine, with the moments that the server noted."""
    cells = [evidence.one(f"serial_{nominal}") for nominal in SERIAL]
    queues = [_queue(evidence, cell, 1) for cell in cells]
    names = [
        f"mean wait at {queue.load:.0%}, {service.replace('_', ' ')}"
        for queue, service in zip(queues, SERIAL.values(), strict=True)
    ]
    checks = [_by_theory(name, queue) for name, queue in zip(names, queues, strict=True)]
    checks += [_exactly(name, queue) for name, queue in zip(names, queues, strict=True)]
    return [*checks, *(counted(evidence, cell) for cell in cells)], _by_load(queues)


def pool(evidence: Evidence) -> Judged:
    """Item 4: likewise 40 places, against Erlang C."""
    cell = evidence.one("pool")
    queue = _queue(evidence, cell, PLACES)
    name = f"mean wait at {queue.load:.0%}"
    checks = [_by_theory(name, queue), _exactly(name, queue), counted(evidence, cell)]
    return checks, _by_share(queue)


def _by_theory(name: str, queue: Queue) -> Check:
    """Within a twentieth, or what chance leaves open in a window of this length."""
    reach = max(OFF * queue.theory, queue.read.reach)
    bounds = (max(0.0, queue.theory - reach), queue.theory + reach)
    return between(name, "ms", queue.read.value, queue.theory, bounds)


def _exactly(name: str, queue: Queue) -> Check:
    """Within a twentieth, or what the machine's own pauses leave open."""
    what = f"{name}, of these arrivals and services"
    read = queue.exact_read
    return within(what, "ms", read.value, queue.exact, share=OFF, reach=read.reach)


def _queue(evidence: Evidence, cell: Seen, places: int) -> Queue:
    seen = matched(evidence, cell)
    inside = seen.in_window
    services = seen.service[inside]
    rate = len(services) / (cell.record.window_s * 1e3)  # a ms
    load = rate * float(services.mean()) / places
    if load >= 1:
        raise NoEvidenceError(f"{cell.record.label}: the server was overloaded ({load:.0%})")
    waits = (seen.response - seen.service)[inside] - _floor(evidence, "response")
    sent_waits = (seen.exchange - seen.service)[inside] - _floor(evidence, "exchange")
    # A generator that sends a request late does not change what the queue does with it.
    exact = theory.waits(seen.sent, seen.service, places)[inside]
    return Queue(
        load=load,
        theory=_theory(places, rate, services),
        exact=float(exact.mean()),
        exact_read=Mean(float(sent_waits.mean()), theory.batch_mean(sent_waits - exact).reach),
        waits=waits,
        read=theory.batch_mean(waits),
    )


def _theory(places: int, rate: float, services: Values) -> float:
    if places == 1:
        return theory.pollaczek_khinchine(rate, services)
    return theory.erlang_c(places, rate, float(services.mean()))


def _floor(evidence: Evidence, which: str) -> float:
    """The mean of what comes on top of a service where nobody waits, at an open load too."""
    seen: Matched = matched(evidence, evidence.one("unqueued"))
    over = getattr(seen, which) - seen.service
    return float(over[seen.in_window].mean())


def _by_load(queues: list[Queue]) -> Picture:
    loads = [100 * queue.load for queue in queues]
    shown = {
        "Pollaczek-Khinchine": [queue.theory for queue in queues],
        "measured": [queue.read.value for queue in queues],
        "Lindley, these arrivals and services": [queue.exact for queue in queues],
    }
    return Picture(
        title="Serial queue: mean wait",
        x_label="load (%)",
        y_label="mean wait (ms)",
        series=[Series(name=name, kind="points", x=loads, y=y) for name, y in shown.items()],
    )


def _by_share(queue: Queue) -> Picture:
    """Erlang: who waits at all waits exponentially, with the mean of those who wait."""
    waits = np.percentile(queue.waits, SHOWN)
    return Picture(
        title=f"{PLACES} places: how many wait longer",
        x_label="wait (ms)",
        y_label="share that waits longer (%)",
        log_y=True,
        series=[
            Series(name="measured", kind="steps", x=list(waits), y=list(100 - SHOWN)),
            Series(
                name=f"mean {queue.read.value:.2f} ms, Erlang C {queue.theory:.2f} ms",
                kind="points",
                x=[queue.theory],
                y=[float(100 * (queue.waits > queue.theory).mean())],
            ),
        ],
    )


MEANS = (
    "Waiting times under open loads are wrong here: trust no latency of an open load; look at the"
    " arrivals (item 7) and at stolen CPU time first."
)
SERIAL_QUEUE = Known(3, "serial queue, Poisson arrivals", serial, MEANS, headline=len(SERIAL))
POOL = Known(4, f"{PLACES} places, Poisson arrivals", pool, MEANS)
