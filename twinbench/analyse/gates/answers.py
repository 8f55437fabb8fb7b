"""Gates on what came back, and on who sent it."""

from twinbench.analyse.gates.evidence import GateInput

MOST_ERRORS = 0.001  # share of wrong answers: fewer do not move a p99, nor a throughput visibly
# Above it the generator, not the server, may set the figure: what is left of its core goes in
# bursts, and a request that waits for the generator looks like a slow one. What it had to wait for
# its core counts like what it used of it: others had that.
MOST_GENERATOR_CPU = 0.8


def none_at_all(seen: GateInput) -> str | None:
    if seen.cell.requests:
        return None
    if seen.record.load.kind == "open":
        return "nothing was meant to be sent in the window: raise the rate, or lengthen measure_s"
    return "no answer at all in the window: lengthen measure_s"


def wrong(seen: GateInput) -> str | None:
    cell = seen.cell
    if not cell.errors or cell.errors / cell.requests <= MOST_ERRORS:
        return None
    most = seen.errors.value_counts(sort=True).row(0)[0]
    return (
        f"{cell.errors} of {cell.requests} answers were wrong, most of them '{most}':"
        " see what the app says to these requests"
    )


def busy_generator(seen: GateInput) -> str | None:
    used, waited = seen.cell.generator.cpu, seen.cell.generator.waited
    if used + waited <= MOST_GENERATOR_CPU:
        return None
    others = f" and waited for it {waited:.0%} of the time, while others had it" if waited else ""
    return (
        f"the load generator used {used:.0%} of its core{others}, and may have been the limit:"
        " lower the load, or give it more or faster cores (processes) of its own"
    )
