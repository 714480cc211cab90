"""The container files and the Makefile, as far as they can be judged without an engine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from awfdrs_site.kernel.embedded_layout import PROJECT

COMPOSE = PROJECT / "docker-compose.yml"
# Set for the containers of others, or by Compose itself.
FOREIGN = {"POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "HOSTNAME"}


def services() -> dict[str, dict[str, Any]]:
    return dict(yaml.safe_load(COMPOSE.read_text())["services"])


def documented_variables() -> set[str]:
    return set(re.findall(r"^#([A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.M))


def dockerfile() -> list[str]:
    text = (PROJECT / "Dockerfile").read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_compose_has_every_process() -> None:
    assert set(services()) == {"postgres", "redis", "migrate", "web", "worker", "beat"}


@pytest.mark.parametrize("name", sorted(services()))
def test_a_service_waits_for_what_it_needs(name: str) -> None:
    """Each dependency exists and can reach the state that is waited for."""
    for other, how in services()[name].get("depends_on", {}).items():
        depended = services()[other]
        if how["condition"] == "service_healthy":
            assert "test" in depended["healthcheck"]
        else:
            assert how["condition"] == "service_completed_successfully"
            assert depended["restart"] == "no"


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_our_processes_start_after_the_migrations(name: str) -> None:
    assert set(services()[name]["depends_on"]) == {"postgres", "redis", "migrate"}


def test_every_variable_in_compose_is_documented() -> None:
    """What Compose takes from the environment, or hands to our processes, is in .env.example."""
    text = COMPOSE.read_text()
    asked = set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", text))
    handed = set(services()["web"]["environment"])
    assert asked | handed <= documented_variables()


def test_secrets_have_no_default_in_compose() -> None:
    text = COMPOSE.read_text()
    for name in ("SECRET_KEY", "AWFDRS_SEAL_KEYS", "POSTGRES_PASSWORD"):
        uses = re.findall(rf"\$\{{{name}([^}}]*)\}}", text)
        assert uses
        assert all(use.startswith(":?") for use in uses)


def test_redis_evicts_nothing() -> None:
    """The broker's messages and the limiters' counters are never dropped for want of memory."""
    command = services()["redis"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"


@pytest.mark.skipif(
    shutil.which("docker") is None
    or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    != 0,
    reason="no docker compose here",
)
def test_compose_accepts_the_file() -> None:
    told = subprocess.run(
        ["docker", "compose", "config", "--quiet"],
        cwd=PROJECT,
        env=os.environ
        | {"SECRET_KEY": "x" * 50, "AWFDRS_SEAL_KEYS": "x", "POSTGRES_PASSWORD": "x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr


def test_the_image_runs_as_an_ordinary_user_and_tells_its_health() -> None:
    lines = dockerfile()
    last_stage = lines[max(i for i, line in enumerate(lines) if line.startswith("FROM")) :]
    assert "USER awfdrs" in last_stage
    assert last_stage.index("USER awfdrs") > last_stage.index("COPY . .")
    assert any(line.startswith("HEALTHCHECK") for line in last_stage)


def test_the_image_gets_every_app_and_nothing_else() -> None:
    """.dockerignore lets through just what the settings name and the processes run."""
    from django.conf import settings

    ignore = (PROJECT / ".dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignore if line.startswith("!")}
    ours = {app.split(".")[0] for app in settings.INSTALLED_APPS}
    ours = {name for name in ours if (PROJECT / name).is_dir()}
    assert ours | {"manage.py", "requirements.txt", "templates", "static"} <= allowed
    assert not {".git", ".env", ".venv", ".awfdrs", "tests"} & allowed
    assert "*" in ignore


def test_every_target_of_the_makefile_is_explained() -> None:
    """`make help` lists each target that can be called."""
    text = (PROJECT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.M)
    assert phony
    explained = set(re.findall(r"^([a-z0-9-]+):.*## ", text, re.M))
    assert explained == set(phony[1].split())


def test_ci_is_a_strict_script() -> None:
    script = PROJECT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)


def test_the_locks_pin_every_requirement() -> None:
    """Every name in a .in file stands in its lock with one version."""
    for name in ("requirements", "requirements-aws", "requirements-dev"):
        asked = Path(PROJECT / f"{name}.in").read_text()
        names = set(re.findall(r"^([A-Za-z][\w.-]*)", asked, re.M))
        pinned = set(
            re.findall(r"^([\w.-]+)(?:\[.*?\])?==", (PROJECT / f"{name}.txt").read_text(), re.M)
        )
        assert {n.lower().replace("_", "-") for n in names} <= pinned
