"""Database and media folder of the tests, set before an app is imported."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from twinbench.measure.postgres import Databases
from twinbench.plan import Target

FOLDER = tempfile.TemporaryDirectory(prefix="twinbench-apps-")
DATABASE = Path(FOLDER.name) / "database" / "blog.db"
MEDIA = Path(FOLDER.name) / "media"
DATABASE.parent.mkdir()

# Settings are read once, at import. Removed afterwards: other tests start servers.
ENVIRONMENT = {"BLOG_DATABASE": str(DATABASE), "BLOG_MEDIA": str(MEDIA)}
os.environ.update(ENVIRONMENT)
import apps.shared.settings  # noqa: E402, F401

for variable in ENVIRONMENT:
    del os.environ[variable]


# Apps on PostgreSQL, with the driver of each.
ON_POSTGRES = ("sync psycopg", "async psycopg", "async asyncpg")
BLOG = Target(name="blog", command=["true"], env={"URL": "{postgres}"})
POSTGRES_PARAMS = [
    pytest.param(variant, marks=(pytest.mark.postgres, pytest.mark.slow)) for variant in ON_POSTGRES
]
# For tests of what only one database has.
only_sqlite = pytest.mark.parametrize("name", ["sync", "async"], indirect=True)
only_postgres = pytest.mark.parametrize("name", POSTGRES_PARAMS, indirect=True)


@pytest.fixture(params=["sync", "async", *POSTGRES_PARAMS])
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """Name of each app, on SQLite and then on PostgreSQL with each driver."""
    from tests.apps.serving import on_postgres

    app, _, driver = str(request.param).partition(" ")
    if not driver:
        yield app
        return
    with on_postgres(request.getfixturevalue("seeded_postgres"), app, driver):
        yield app


@pytest.fixture(scope="session")
def seeded_postgres(databases: Databases) -> Databases:
    """Cluster in which a new database of BLOG is that of a first start."""
    from tests.apps.serving import on_postgres, serving

    with on_postgres(databases, "sync", "psycopg") as target, serving("sync"):
        pass
    databases.keep_as_template(target)
    return databases


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the database and media of a first start, the same for both apps."""
    from tests.apps.serving import serving

    with serving("sync"):
        pass
    return shutil.copytree(FOLDER.name, tmp_path_factory.mktemp("seeded"), dirs_exist_ok=True)


@pytest.fixture
def client(name: str, seeded: Path) -> Iterator[TestClient]:
    """Client of the app `name` on fresh data; exceptions become a 500, as in a server."""
    from tests.apps.serving import serving

    for used in (DATABASE.parent, MEDIA):
        shutil.rmtree(used, ignore_errors=True)
    shutil.copytree(seeded, FOLDER.name, dirs_exist_ok=True)
    with serving(name, fresh=False) as found:
        yield found
