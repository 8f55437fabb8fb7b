"""How a cell went over time: latencies as a heatmap, and what telemetry saw beneath it."""

from twinbench.analyse.results import Timeline
from twinbench.store import Store


def timelines(store: Store, results: object) -> list[Timeline]:
    """One for each target of a scenario, at the load that tells most."""
    raise NotImplementedError
