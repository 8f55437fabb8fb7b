"""The built-in apps on PostgreSQL: both do the same work, with each driver."""

from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.support.gated import get
from tests.support.processes import LONG_S, clean_rig, twinbench
from twinbench.measure import cluster
from twinbench.measure.rig import Rig
from twinbench.measure.server import ServerFailedError
from twinbench.paths import PLANS, ROOT
from twinbench.plan import Plan, Target

pytestmark = [pytest.mark.slow, pytest.mark.system, pytest.mark.postgres]
pytest.importorskip(cluster.WHEEL, reason="no PostgreSQL: pip install '.[postgres]'")

# App, and the driver in its URL.
PAIRS = (
    ("sync_app", "{postgres}"),
    ("async_app", "{postgres}"),
    ("async_app", "{postgres+asyncpg}"),
)


def blog(app: str, url: str, **keys: object) -> Target:
    values = {"name": "blog", "app": f"apps.{app}.main:app", "env": {"BLOG_DATABASE_URL": url}}
    return Target.model_validate(values | keys)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    scenario = {"name": "x", "closed": [1], "requests": [{"path": "/"}]}
    targets = [blog("sync_app", "{postgres}")]
    plan = {"name": "x", "ready_s": 60, "targets": targets, "scenarios": [scenario]}
    with clean_rig(Plan.model_validate(plan), tmp_path) as made:
        made.databases.start()
        yield made


@pytest.mark.serial
def test_plan_of_postgres_compares_equal_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    # Few, so that each is started often enough to find what changes at every start.
    few = [part for name in ("read_post", "write_post", "query") for part in ("--only", name)]
    done = twinbench("check", str(PLANS / "postgres.toml"), *few, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    pairs = [line for line in done.stdout.splitlines() if " against " in line]
    assert len(pairs) == 3
    for line in pairs:
        assert "bytes" in line
        assert "commits" in line
        assert "final database" in line.partition("equal")[0]
        # asyncpg writes parameters in another way.
        assert ("SQL, " in line.partition("equal")[0]) == ("asyncpg" not in line)


@pytest.mark.parametrize(("app", "url"), PAIRS)
def test_query_waits_and_new_posts_follow_the_demo(rig: Rig, app: str, url: str) -> None:
    server = rig.start(blog(app, url))
    try:
        assert get(f"{server.url}/workload/query?ms=20") == b'{"waited_ms":20.0}'
        with rig.databases.connection(server.target) as connection:
            found = connection.execute(
                "SELECT nextval(pg_get_serial_sequence('posts', 'id')), max(id) FROM posts"
            ).fetchone()
        assert found == (2001, 2000)
    finally:
        server.stop()


def test_several_workers_fill_an_empty_database_once(rig: Rig) -> None:
    server = rig.start(blog("async_app", "{postgres}", workers=2))
    try:
        with rig.databases.connection(server.target) as connection:
            assert connection.execute("SELECT count(*) FROM posts").fetchone() == (2000,)
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://localhost/blog", "BLOG_DATABASE_URL: {app} needs one of postgresql://"),
        ("blog.db", "BLOG_DATABASE_URL: {app} needs one of postgresql://"),
        ("postgresql://127.0.0.1:1/blog", "BLOG_DATABASE_URL: no connection to PostgreSQL"),
    ],
)
def test_wrong_url_of_the_blog_is_refused(rig: Rig, url: str, message: str) -> None:
    for app in ("sync_app", "async_app"):
        with pytest.raises(ServerFailedError, match=message.format(app=app)):
            rig.start(blog(app, url))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE ROLE guest LOGIN",
        "CREATE ROLE guest LOGIN; GRANT CREATE ON SCHEMA public TO guest;"
        " ALTER ROLE guest SET default_transaction_read_only = on",
    ],
)
def test_database_that_may_not_be_written_is_refused(rig: Rig, statement: str) -> None:
    filled = rig.databases.with_database(blog("sync_app", "{postgres}"))
    with rig.databases.connection(filled) as connection:
        connection.execute(statement.encode())
    url = filled.env["BLOG_DATABASE_URL"].replace("twinbench@", "guest@")
    for app in ("sync_app", "async_app"):
        with pytest.raises(ServerFailedError, match="BLOG_DATABASE_URL: read-only, or its user"):
            rig.start(blog(app, url))


def test_asyncpg_is_refused_in_the_sync_app(rig: Rig) -> None:
    with pytest.raises(ServerFailedError, match="sync_app needs one of"):
        rig.start(blog("sync_app", "{postgres+asyncpg}"))


@pytest.mark.parametrize(("app", "url"), PAIRS)
def test_hostile_values_have_the_answers_of_sqlite(rig: Rig, app: str, url: str) -> None:
    server = rig.start(blog(app, url))
    try:
        assert status(f"{server.url}/api/posts/{2**63 - 1}") == 404
        form = b"username=a%00b&password=x%00"
        assert status(f"{server.url}/api/users/token", form) == 401
    finally:
        server.stop()


def status(url: str, form: bytes | None = None) -> int:
    with pytest.raises(HTTPError) as refused:
        urlopen(url, form, timeout=LONG_S)
    refused.value.close()
    return refused.value.code
