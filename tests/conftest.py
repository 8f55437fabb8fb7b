"""Isolation of a test session, markers by folder, and the profile of hypothesis."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from twinbench.measure import cluster
from twinbench.measure.postgres import Databases
from twinbench.plan import Target

HERE = Path(__file__).parent
# Folders whose tests need real servers, a browser, or seconds of real load.
MARKED_FOLDERS = ("system", "browser", "instrument")

# A property that takes long on a busy machine is no failure, and neither is data that are drawn
# slowly. Equal draws in every session: what fails for one contributor fails for all.
settings.register_profile(
    "twinbench",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("twinbench")


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder; such a test is slow unless it is marked `smoke`."""
    for item in items:
        folder = item.path.relative_to(HERE).parts[0]
        if folder in MARKED_FOLDERS:
            item.add_marker(folder)
            # A test that hangs fails; one that a busy machine stops for minutes does not.
            item.add_marker(pytest.mark.timeout(900))
            if not item.get_closest_marker("smoke"):
                item.add_marker("slow")


@pytest.fixture(scope="session", autouse=True)
def own_temporary_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give this session, and what it starts, a temporary folder and a machine lock of its own.

    Otherwise a test would be refused because another session, or a real run, measures.
    """
    folder = tmp_path_factory.mktemp("temporary")
    own = {"TMPDIR": str(folder), "TWINBENCH_LOCK": str(folder / "machine.lock")}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in own.items():
            patch.setenv(name, value)
        patch.setattr(tempfile, "tempdir", None)  # it was found before
        yield


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Private cluster of PostgreSQL for this session."""
    pytest.importorskip(cluster.WHEEL, reason="no PostgreSQL: pip install '.[postgres]'")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("DATABASE_URL", raising=False)
        user = Target(name="any", command=["true"], env={"DATABASE_URL": "{postgres}"})
        made = Databases([user], ())
        made.start()
    yield made
    made.stop()
