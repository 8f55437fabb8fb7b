"""Schemathesis sends valid and invalid requests to each app on a real server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.shared.security import create_token
from tests.support import factories
from tests.support.gated import serving
from twinbench.measure.server import Server
from twinbench.plan import Service, Target

SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "missing_required_header",
)
# Waits of up to ten seconds are valid, but only slow the test.
SHORT_WAITS = """
[[operations]]
include-path-regex = "^/workload/(wait|fetch|query|background)$"
parameters = { ms = 5 }
"""
# So that requests meet the token's owner, who is not deleted.
OWN_USER = """
[[operations]]
include-path-regex = "user_id"
parameters = { user_id = 5 }

[[operations]]
include-operation-id = "delete_user_api_users__user_id__delete"
enabled = false
"""


@pytest.fixture(params=["sync", "async"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    name = request.param
    with serving(Service.model_validate(factories.UPSTREAM).as_target()) as upstream:
        env = {"UPSTREAM_URL": upstream.url}
        with serving(Target(name=name, app=f"apps.{name}_app.main:app", env=env)) as found:
            yield found


@pytest.mark.parametrize(
    ("config", "phases"),
    [(SHORT_WAITS, "coverage,fuzzing,stateful"), (SHORT_WAITS + OWN_USER, "fuzzing")],
    ids=["everything", "own user"],
)
def test_no_request_breaks_the_app_or_its_schema(
    server: Server, config: str, phases: str, tmp_path: Path
) -> None:
    file = tmp_path / "schemathesis.toml"
    file.write_text(config)
    command = [SCHEMATHESIS, "--config-file", str(file), "run", f"{server.url}/openapi.json"]
    command += ["--checks", ",".join(CHECKS), "--phases", phases, "--seed", "1"]
    command += ["--max-examples", "10", "--header", f"Authorization: Bearer {create_token(5)}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
