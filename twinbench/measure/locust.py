"""The load generator for locustfiles: processes for each target, fresh ones for each load."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from twinbench.job import GeneratorState, GeneratorSummary, Job
from twinbench.measure.generator import LoadGenerator

LOCUST_GENERATOR = "twinbench.load.locust_generator"


class LocustGenerator:
    """Load generators of the targets of a job, used as one `LoadGenerator`.

    What a locustfile keeps in its modules is shared neither by targets nor by loads.
    """

    def __init__(self, log_folder: Path, cores: Sequence[int] = (), processes: int = 1) -> None:
        self._log_folder, self._cores, self._processes = log_folder, cores, processes
        self._generators: list[LoadGenerator] = []
        self._current = 0

    def begin(self, job: Job) -> None:
        """Start the processes, and wait until the users of all targets have started."""
        self._generators = [
            LoadGenerator(
                self._log_folder / f"locust-{number}.log",
                self._cores,
                self._processes,
                LOCUST_GENERATOR,
            )
            for number in range(len(job.targets))
        ]
        with self._stopped_on_error():
            for generator, target in zip(self._generators, job.targets, strict=True):
                generator.begin(job.model_copy(update={"targets": [target]}))

    def warm_up(self, target: int, warmup_s: float) -> float:
        """Begin the turn of a target; return the time in which each user has a response."""
        self._current = target
        with self._stopped_on_error():
            return self._generators[target].warm_up(0, warmup_s)

    def measure(self, measure_s: float) -> GeneratorState:
        """Run the window of the turn, and to its last response. Return how it ended."""
        with self._stopped_on_error():
            return self._generators[self._current].measure(measure_s)

    def finish(self) -> list[GeneratorSummary]:
        """Have the records written, and end all processes; return a summary of each target."""
        try:
            return [summary for each in self._generators for summary in each.finish()]
        finally:
            self.stop()

    def stop(self) -> None:
        """End all processes."""
        for generator in self._generators:
            generator.stop()
        self._generators = []

    @contextlib.contextmanager
    def _stopped_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.stop()
            raise
