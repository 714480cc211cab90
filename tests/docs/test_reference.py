"""What the documentation says, against the tables and constants of the code."""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from pathlib import Path

import pytest
from django.apps import apps
from django.utils import timezone

from actions.catalog import kinds as all_kinds
from actions.escalation.states import TRANSITIONS as PAGES
from actions.plans.states import TRANSITIONS as RECOVERIES
from actions.states import TRANSITIONS as ACTIONS
from awfdrs_site import env, stages
from awfdrs_site.kernel import problem
from bench.drill.acts import all_drills
from incidents.states import TRANSITIONS as INCIDENTS
from incidents.states import Recovery
from safety.breaker import TRANSITIONS as BREAKERS
from safety.gate import GateFacts, judge
from safety.models import BreakerState
from simulator.scenario import all_scenarios
from tenants.access import SCOPES_OF
from tenants.models import Scope
from tests.docs import diagrams
from tests.docs.markdown import DOCS, PROJECT, code, section, tables
from tests.tenants.url_table import every_url

OURS = ("awfdrs_site", "tenants", "safety", "ingestion", "incidents", "ai", "actions")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def sources() -> Iterator[Path]:
    for package in OURS:
        for path in sorted((PROJECT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


@pytest.mark.parametrize("page", sorted(set(diagrams.PAGES.values())), ids=lambda page: page.name)
def test_the_life_cycles_are_drawn_from_their_tables(page: Path) -> None:
    """Red: run `python -m tests.docs.diagrams`, and give a new step its words there."""
    assert diagrams.with_diagrams(page) == page.read_text()


def test_every_step_has_words_and_no_words_are_left_over() -> None:
    for table, words in (
        (INCIDENTS, diagrams.INCIDENT_WORDS),
        (ACTIONS, diagrams.ACTION_WORDS),
        (BREAKERS, diagrams.BREAKER_WORDS),
        (diagrams.boxed(diagrams.plain(RECOVERIES)), diagrams.RECOVERY_WORDS),
    ):
        steps = {(str(state), str(to)) for state, after in table.items() for to in after}
        assert set(words) == steps
        # Mermaid ends a label at either.
        assert not [text for text in words.values() if set(text) & {":", ";"}]


def test_the_other_life_cycles_name_every_state() -> None:
    page = DOCS / "life-cycles.md"
    [breaker] = tables(section(page, "## Circuit breaker of a vendor"))
    assert [code(row[0])[0] for row in breaker] == list(BREAKERS) == BreakerState.values
    recovery = tables(section(page, "## Incident"))[-1]
    assert [(code(row[0]) or [""])[0] for row in recovery] == Recovery.values


def test_the_life_of_a_page_is_that_of_its_table() -> None:
    [rows] = tables(section(DOCS / "escalation.md", "## A page"))
    said = {code(state)[0]: set(code(following)) for state, _, following in rows}
    assert said == {str(state): set(map(str, after)) for state, after in PAGES.items()}


def test_every_error_code_is_explained() -> None:
    """docs/errors.md lists exactly the statuses and codes that the code can answer."""
    [rows] = tables((DOCS / "errors.md").read_text())
    documented = {(int(status), code(name)[0]) for status, name, _ in rows}
    raised = set(problem.API_CODES.items())
    for path in sources():
        raised |= set(_raised(parsed(path)))
    assert documented == raised


def _raised(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """`Problem(status, code, …)`, its subclasses' `super().__init__(…)`, and `not_found`."""
    subclasses = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef) and any(_word(base) == "Problem" for base in node.bases)
    ]
    inits = [
        c for cls in subclasses for c in _calls(cls) if ast.unparse(c.func) == "super().__init__"
    ]
    for call in [*_calls(tree, "Problem"), *inits]:
        status, name = (*call.args, None, None)[:2]
        if isinstance(status, ast.Constant) and isinstance(name, ast.Constant):
            yield status.value, name.value
    for call in _calls(tree, "not_found"):
        name = call.args[1] if len(call.args) > 1 else ast.Constant("not_found")
        yield 404, ast.literal_eval(name)


def _calls(tree: ast.AST, name: str = "") -> list[ast.Call]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if not name or _word(call.func) == name]


def _word(node: ast.expr) -> str:
    return getattr(node, "attr", None) or getattr(node, "id", "")


def test_every_problem_has_a_code_that_can_be_read_off() -> None:
    """Else the table of codes could miss one. Only the kernel passes codes on."""
    for path in sources():
        for call in _calls(parsed(path), "Problem"):
            literal = len(call.args) > 1 and isinstance(call.args[1], ast.Constant)
            assert literal or path.name == "problem.py", f"{path}:{call.lineno}"


def test_every_path_is_listed_with_its_scopes() -> None:
    [rows] = tables(section(DOCS / "api.md", "## Paths"))
    documented = {code(path)[0]: methods for path, methods in rows}
    expected = {}
    for url in every_url():
        if url.view is None or not url.route.startswith("api/v1/"):
            continue
        path = re.sub(r"<uuid:pk>", "{id}", url.route.removeprefix("api/v1"))
        path = re.sub(r"<str:(\w+)>", r"{\1}", path)
        scopes = getattr(url.view, "scopes", {})
        methods = [f"{method} {scopes.get(method, '')}".strip() for method in url.methods()]
        expected[path] = ", ".join(methods)
    assert documented == expected


def test_every_scope_names_the_roles_that_have_it() -> None:
    rows = tables(section(DOCS / "api.md", "## Who is calling"))[1]
    assert {code(row[0])[0] for row in rows} == set(Scope.values)
    for scope, _, roles in rows:
        having = {role for role, scopes in SCOPES_OF.items() if code(scope)[0] in scopes}
        named = {word for word in re.findall(r"[a-z]+", roles) if word in SCOPES_OF}
        assert named == having, scope


def test_every_setting_is_listed_with_its_check() -> None:
    [rows] = tables(section(DOCS / "operations.md", "## Settings"))
    documented = {name: (code(row[3]) or [""])[0] for row in rows for name in code(row[0])}
    read = {}
    for node in ast.walk(parsed(Path(env.__file__))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "r.read":
            check, name = (ast.literal_eval(arg) for arg in node.args[:2])
            read[name] = f"awfdrs.{check}"
    assert {name: check for name, check in documented.items() if check} == read
    example = (PROJECT / ".env.example").read_text()
    assert set(documented) == set(re.findall(r"^#?([A-Z_]+)=", example, re.MULTILINE))


def test_the_settings_defaults_are_those_of_the_code() -> None:
    [rows] = tables(section(DOCS / "operations.md", "## Settings"))
    said = {name: row[1] for row in rows for name in code(row[0])}
    given, _ = env.read({})
    for name, field in {
        "DEBUG": "debug",
        "AWFDRS_DEMO": "demo",
        "ALLOWED_HOSTS": "allowed_hosts",
        "CSRF_TRUSTED_ORIGINS": "csrf_trusted_origins",
        "AI_MODE": "ai_mode",
        "LOG_LEVEL": "log_level",
        "AWFDRS_HTTPS": "https",
        "RETRY_ALLOWED_HOSTS": "retry_allowed_hosts",
        "CHANNEL_ALLOWED_HOSTS": "channel_allowed_hosts",
        "DB_POOL_MAX": "db_pool_max",
    }.items():
        value = getattr(given, field)
        shown = ", ".join(value) if isinstance(value, tuple) else str(value)
        assert said[name] == {"False": "false", "": "none"}.get(shown, shown), name


def test_every_module_that_locks_rows_is_named() -> None:
    page = (DOCS / "concurrency.md").read_text()
    locking = [
        str(path.relative_to(PROJECT))
        for path in sources()
        if re.search(r"select_for_update\(|pg_advisory", path.read_text())
    ]
    assert locking
    assert [path for path in locking if path not in page] == []


def test_every_constraint_named_is_one() -> None:
    table = tables(section(DOCS / "concurrency.md", "## The locks"))[1]
    names = {c.name for model in apps.get_models() for c in model._meta.constraints}
    said = {name for row in table for name in code(row[0]) if re.fullmatch(r"[a-z_]+", name)}
    assert said
    assert said <= names


def test_the_times_are_those_of_the_code() -> None:
    [rows] = tables(section(DOCS / "concurrency.md", "## Leases and fences"))
    for constant, seconds, _ in rows:
        module, _, name = code(constant)[0].rpartition(".")
        value = getattr(importlib.import_module(module), name)
        if isinstance(value, timedelta):
            value = value.total_seconds()
        assert value == float(seconds), constant


def test_every_test_that_guards_a_promise_exists() -> None:
    [rows] = tables(section(DOCS / "safety.md", "## Guards, and how each was seen red"))
    assert len(rows) >= 10
    for _, cell, how in rows:
        path, _, name = code(cell)[0].partition("::")
        assert how
        names = {n.name for n in ast.walk(parsed(PROJECT / path)) if isinstance(n, ast.FunctionDef)}
        assert name in names, f"{path} has no {name}: it was renamed or removed"


def test_the_gates_checks_are_all_there_in_order() -> None:
    facts = GateFacts(
        now=timezone.now(), tenant_id="t", workflow_id="w", workflow="w", action_kind="retry"
    )
    [rows] = tables(section(DOCS / "safety.md", "## The gate"))
    documented = [code(row[0])[0] for row in rows]
    assert documented == [check.name for check in judge(facts).checks]


def test_the_kinds_of_step_are_all_there() -> None:
    page = DOCS / "recovery.md"
    steps, probes = tables(section(page, "## Kinds of step"))
    yes_no = {True: "yes", False: "no"}
    kinds = {name: kind for name, kind in all_kinds().items() if kind.in_plans}
    assert {code(row[0])[0]: row[1:] for row in steps} == {
        name: [kind.says, yes_no[kind.acts], yes_no[kind.reversible]]
        for name, kind in kinds.items()
        if not kind.probe
    }
    assert {code(row[0])[0]: row[1] for row in probes} == {
        name: kind.says for name, kind in kinds.items() if kind.probe
    }


def test_the_stages_are_all_there_in_order() -> None:
    [rows] = tables(section(DOCS / "architecture.md", "## The way of an event"))
    assert [code(row[0])[0] for row in rows] == list(stages.STAGES)


def test_every_folder_has_its_line() -> None:
    [rows] = tables(section(DOCS / "architecture.md", "## Folders"))
    named = {name for row in rows for name in code(row[0])}
    assert not [name for name in named if not (PROJECT / name).is_dir()]
    apps = {path.parent.name + "/" for path in PROJECT.glob("*/__init__.py")}
    assert apps <= named


def test_every_log_event_named_is_logged() -> None:
    rows = tables(section(DOCS / "operations.md", "## Health and logs"))[0]
    logged = {
        arg.value
        for path in sources()
        for call in _calls(parsed(path))
        if ast.unparse(call.func).startswith("log.")
        for arg in call.args[:1]
        if isinstance(arg, ast.Constant)
    }
    assert {name for row in rows for name in code(row[0])} <= logged


def test_every_command_is_listed() -> None:
    [rows] = tables(section(PROJECT / "README.md", "## Commands"))
    listed = {name for row in rows for name in re.findall(r"^`make ([\w-]+)`", row[0])}
    targets = re.findall(r"^([a-z0-9-]+):.*## ", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert listed == set(targets)


def test_every_drill_is_told() -> None:
    """The scenarios are the simulator's to tell; the others, in the order they are played."""
    [rows] = tables(section(DOCS / "performance.md", "## The drill"))
    told = [code(row[0])[0] for row in rows]
    assert told == [name for name in all_drills() if name not in all_scenarios()]
