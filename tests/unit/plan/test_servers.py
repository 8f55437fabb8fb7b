"""Command lines of the servers that a target may name."""

import pytest

from twinbench.plan import Target
from twinbench.plan.servers import HTTP_SERVERS, command_line

ADDRESS = "127.0.0.1:8000"


def target(server: str, **keys: object) -> Target:
    return Target.model_validate({"name": "x", "app": "shop:app", "server": server} | keys)


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        (
            {"server": "granian", "loop": "uvloop"},
            "--host 127.0.0.1 --port 8000 --workers 2 --interface=asgi --loop=uvloop",
        ),
        (
            {"server": "granian", "server_options": {"interface": "wsgi", "no-ws": True}},
            "--host 127.0.0.1 --port 8000 --workers 2 --interface=wsgi --no-ws",
        ),
        (
            {"server": "hypercorn", "loop": "trio"},
            f"--bind {ADDRESS} --workers 2 --worker-class=trio",
        ),
        (
            {"server": "gunicorn", "server_options": {"threads": 4, "env": ["A=b", "C=--d"]}},
            f"--bind {ADDRESS} --workers 2 --threads=4 --env=A=b --env=C=--d",
        ),
    ],
)
def test_options_are_arguments(keys: dict[str, object], options: str) -> None:
    of = target(**keys)  # type: ignore[arg-type]
    assert of.server
    found = command_line(of.server, "shop:app", 8000, 2, of.all_server_options)
    assert found == ["-m", of.server, *options.split(), "shop:app"]


def test_options_keep_their_types_in_a_run_folder() -> None:
    options = {"one": 1, "true": True, "half": 0.5, "text": "1", "headers": [["a", "b"]]}
    of = target("uvicorn", server_options=options)
    assert repr(Target.model_validate_json(of.model_dump_json())) == repr(of)


@pytest.mark.parametrize("name", HTTP_SERVERS)
def test_backlogs_are_known(name: str) -> None:
    assert target(name).known_backlog == HTTP_SERVERS[name].backlog  # type: ignore[index]
    assert target(name, server_options={"backlog": 200}).known_backlog == 200
    assert Target(name="x", command=["serve"]).known_backlog is None


@pytest.mark.parametrize(
    ("keys", "source"),
    [
        ({"app": "a:b"}, "inside"),
        ({"app": "a:b", "workers": 2}, "outside"),
        ({"app": "a:b", "server": "granian"}, "outside"),
        ({"command": ["serve"]}, "outside"),
        ({"url": "http://127.0.0.1", "pid": 7}, "outside"),
        ({"url": "http://127.0.0.1"}, "none"),
    ],
)
def test_the_source_of_telemetry_is_known(keys: dict[str, object], source: str) -> None:
    assert Target.model_validate({"name": "x"} | keys).telemetry_from == source
