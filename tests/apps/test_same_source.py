"""Each file of the async app is the converted file of the sync app, and nothing more."""

import ast

import pytest

from tools.side_by_side.conversion import differences
from twinbench.paths import ROOT

SYNC, ASYNC = (
    {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".pyc", ".md")
    }
    for folder in (ROOT / "apps" / "sync_app", ROOT / "apps" / "async_app")
)


def test_async_app_is_the_converted_sync_app() -> None:
    if found := differences(SYNC, ASYNC):
        pytest.fail("\n\n".join(found), pytrace=False)


# File of the async app, old text, new text.
DRIFTS = [
    ("posts.py", "await session.commit()", "session.commit()"),
    ("posts.py", 'attribute_names=["author"]', 'attribute_names=["author", "title"]'),
    ("posts.py", "limit: Limit = POSTS_PER_PAGE", "limit: Limit = 20"),
    ("posts.py", "require_owner(current_user, post.user_id)", "pass"),
    ("posts.py", "status_code=201", "status_code=200"),
    ("posts.py", "async def delete_post", "def delete_post"),
    ("database.py", "async def get_session", "def get_session"),
    ("main.py", "async def http_error", "def http_error"),
    ("posts.py", "exclude_unset=True", "exclude_none=True"),
    ("users.py", "await run_in_threadpool(hash_password, new.password)", "hash_password(new)"),
    ("users.py", "normalize_email(form.username)", "form.username"),
    ("users.py", '@router.get("/me"', '@router.get("/me", include_in_schema=False'),
    ("pictures.py", "await run_in_threadpool((PICTURES / name).write_bytes, picture)", "pass"),
    ("pictures.py", "except Exception", "except OSError"),
    ("pictures.py", "error_responses(400, 401, 403, 404, 409, 413)", "error_responses(400, 401)"),
    ("database.py", "(engine, expire_on_commit=False", "(engine, autoflush=False"),
    ("database.py", "pool_size=settings.pool_size", "pool_size=20"),
    ("database.py", "event.listen(engine.sync_engine", "event.contains(engine.sync_engine"),
    ("dependencies.py", "statements.user_by_id", "statements.post_by_id"),
    ("workload.py", "await asyncio.sleep(ms / 1_000)", "time.sleep(ms / 1_000)"),
    ("workload.py", "await run_cpu(digest, n)", "digest(n)"),
    ("workload.py", "import asyncio", "import asyncio\nimport json"),
    ("main.py", "app.add_middleware(BodyLimit)", ""),
    ("pages.py", "home.html", "post.html"),
]


@pytest.mark.parametrize(("name", "old", "new"), DRIFTS)
def test_drift_is_found(name: str, old: str, new: str) -> None:
    assert old in ASYNC[name]
    [found] = differences(SYNC, ASYNC | {name: ASYNC[name].replace(old, new, 1)})
    assert found.startswith(f"--- sync_app/{name}, converted")


@pytest.mark.parametrize("name", sorted(SYNC))
def test_extra_statement_is_found_in_every_function(name: str) -> None:
    tree = ast.parse(ASYNC[name])
    for function in (node for node in tree.body if isinstance(node, ast.AsyncFunctionDef)):
        function.body.append(ast.Pass())
        found = differences({name: SYNC[name]}, {name: ast.unparse(tree)})
        assert any(one.startswith("---") for one in found), function.name
        function.body.pop()


def test_extra_file_is_found() -> None:
    [found] = differences(SYNC, ASYNC | {"extra.py": ""})
    assert found == "extra.py: only in one of the apps"


def test_unused_rule_is_found() -> None:
    without = {name: source for name, source in SYNC.items() if name != "workload.py"}
    found = differences(without, {name: ASYNC[name] for name in without})
    assert "unused rule: time.sleep" in found


def test_comments_and_module_docstrings_may_differ() -> None:
    source = '"""Other words."""\n# and more\n' + ASYNC["posts.py"].partition('"""\n')[2]
    assert differences(SYNC, ASYNC | {"posts.py": source}) == []
