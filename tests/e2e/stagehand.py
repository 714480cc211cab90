"""What tests need written before the curtain: tenants, people, keys. Runs on the site's servers.

A process of its own (`python -m tests.e2e.stagehand`), for the site has other servers than the
tests: reads one call a line as JSON from standard input, answers with one line.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from bench.instance import PROJECT
from simulator.workflows import DEMO_DIRECTORY

PASSWORD = "correct horse battery staple"
ROLES = {"alice": "responder", "bob": "responder", "anna": "admin", "vera": "viewer"}
_numbers = itertools.count(1)


class Stagehand:
    """The tests' end of the process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, name: str, **arguments: Any) -> Any:
        """The result of the function of that name below; RuntimeError if the process ended."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin
        assert stdout
        stdin.write(json.dumps([name, arguments]) + "\n")
        stdin.flush()
        answer = stdout.readline()
        if not answer:
            raise RuntimeError(f"the stagehand failed at {name}")
        return json.loads(answer)


@contextmanager
def at_work(environ: Mapping[str, str]) -> Iterator[Stagehand]:
    """A stagehand on the servers that `environ` names."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.stagehand"],
        cwd=PROJECT,
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Stagehand(process)
    finally:
        process.communicate(timeout=20)


def make_tenant() -> dict[str, Any]:
    """A tenant with the simulator's workflows, people named alice-7 and so on, and a key."""
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User
    from django.utils import timezone

    from awfdrs_site.kernel.actor import MACHINE
    from tenants.models import Scope, Tenant, Workflow
    from tenants.services import issue_key, set_member

    now, number = timezone.now(), next(_numbers)
    tenant = Tenant.objects.create(name=f"Harbour {number}")
    workflows = {workflow.name: str(uuid4()) for workflow in DEMO_DIRECTORY.workflows}
    for name, pk in workflows.items():
        Workflow.objects.create(pk=pk, tenant=tenant, name=name)
    _shorten_waits(tenant)
    password = make_password(PASSWORD)
    for name, role in ROLES.items():
        user = User.objects.create(
            username=f"{name}-{number}",
            first_name=name.title(),
            password=password,
            is_staff=role == "admin",
        )
        set_member(tenant=tenant, user=user, role=role, actor=MACHINE, now=now)
    scopes = [Scope.INGEST, Scope.READ, Scope.ACT]
    _, key = issue_key(tenant=tenant, name="engine", scopes=scopes, actor=MACHINE, now=now)
    return {
        "tenant_id": str(tenant.pk),
        "tenant_name": tenant.name,
        "workflows": workflows,
        "key": key,
        "people": {name: f"{name}-{number}" for name in ROLES},
    }


def _shorten_waits(tenant: Any) -> None:
    """Own retry policies, with the default ones' names and shapes but delays below a second."""
    from django.forms.models import model_to_dict

    from safety.models import RetryPolicy

    for policy in RetryPolicy.objects.filter(tenant=None):
        fields = model_to_dict(policy, exclude=["id", "tenant"])
        fields |= {"initial_delay_seconds": 0.2, "max_delay_seconds": 1.0}
        RetryPolicy.objects.create(tenant=tenant, **fields)


def retry_at(*, tenant_id: str, url: str, secret: str) -> None:
    """Send the tenant's retries there."""
    from tenants.models import Workflow

    Workflow.objects.filter(tenant_id=tenant_id).update(retry_url=url, retry_secret=secret)


def join(*, tenant_id: str, username: str, role: str) -> None:
    """Make the person a member of one more tenant."""
    from django.contrib.auth.models import User
    from django.utils import timezone

    from awfdrs_site.kernel.actor import MACHINE
    from tenants.models import Tenant
    from tenants.services import set_member

    tenant, user = Tenant.objects.get(pk=tenant_id), User.objects.get(username=username)
    set_member(tenant=tenant, user=user, role=role, actor=MACHINE, now=timezone.now())


def sign_in(*, username: str) -> dict[str, str]:
    """The session cookie of a new session of that person, as signing in would make it."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore

    user, session = User.objects.get(username=username), SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return {"name": settings.SESSION_COOKIE_NAME, "value": str(session.session_key)}


def sign_out(*, key: str) -> None:
    """End the session of that key, as signing out elsewhere would."""
    from django.contrib.sessions.models import Session

    Session.objects.filter(session_key=key).delete()


def hang_redis(*, seconds: int) -> None:
    """Let Redis answer nobody for so long."""
    from awfdrs_site.kernel.redis_client import redis_client

    redis_client().client_pause(seconds * 1000)


def stop_workflow(*, workflow_id: str, reason: str) -> None:
    """Engage a kill switch as another process would, past the web server."""
    from django.utils import timezone

    from awfdrs_site.kernel.actor import Actor
    from safety.models import SwitchScope
    from safety.services import engage_switch
    from tenants.models import Workflow

    workflow = Workflow.objects.get(pk=workflow_id)
    engage_switch(
        scope=SwitchScope.WORKFLOW,
        tenant=workflow.tenant,
        workflow=workflow,
        reason=reason,
        actor=Actor("person", "Oncall"),
        now=timezone.now(),
    )


def resume_workflow(*, workflow_id: str) -> None:
    """Release the workflow's kill switch as another process would."""
    from django.utils import timezone

    from awfdrs_site.kernel.actor import Actor
    from safety.models import KillSwitch
    from safety.services import release_switch

    switch = KillSwitch.objects.get(workflow_id=workflow_id, released_at=None)
    who = Actor("person", "Oncall")
    release_switch(switch=switch, reason="All is well", actor=who, now=timezone.now())


def lose_a_change(*, incident_id: str, title: str) -> None:
    """Rename the incident, with the message about it lost on its way to the web servers."""
    from awfdrs_site.kernel.live import COUNTER
    from awfdrs_site.kernel.redis_client import redis_client
    from incidents.models import Incident

    Incident.objects.filter(pk=incident_id).update(title=title)
    redis_client().incr(COUNTER)


def begin_recovery(*, tenant_id: str, source: str) -> str:
    """Begin a recovery of the tenant's newest incident under the plan, as approved; its id."""
    from django.db import transaction
    from django.utils import timezone

    from actions.plans.services import begin
    from actions.plans.templates import save_plan
    from awfdrs_site.kernel.actor import MACHINE
    from awfdrs_site.kernel.transition import lock
    from incidents.models import Incident
    from tenants.models import Tenant

    tenant, now = Tenant.objects.get(pk=tenant_id), timezone.now()
    plan = save_plan(tenant=tenant, source=source, actor=MACHINE, now=now)
    with transaction.atomic():
        incident = lock(Incident.objects.filter(tenant=tenant).latest("opened_at"))
        recovery = begin(incident, decision=None, template=plan, now=now)
        recovery.approved_by_name = "anna"
        recovery.save(update_fields=["approved_by_name"])
    return str(recovery.pk)


def ask_before(*, tenant_id: str, source: str, codes: list[str]) -> None:
    """Give failures with one of these codes the plan, before the tenant's rules are first read."""
    from django.utils import timezone

    from actions.plans.templates import save_plan
    from awfdrs_site.kernel.actor import MACHINE
    from safety.models import ErrorCode, RetryPolicy
    from tenants.models import Tenant

    tenant = Tenant.objects.get(pk=tenant_id)
    plan = save_plan(tenant=tenant, source=source, actor=MACHINE, now=timezone.now())
    policy = RetryPolicy.objects.filter(tenant=tenant).first()
    for code in codes:
        ErrorCode.objects.create(tenant=tenant, code=code, retry_policy=policy, plan=plan.name)


def expire(*, action_id: str) -> None:
    """Let the action's time be over, as its stage finds it."""
    from datetime import timedelta

    from actions.models import Action
    from actions.services import expire as run_stage

    action = Action.objects.get(pk=action_id)
    assert action.expires_at
    run_stage([action.pk], action.expires_at + timedelta(seconds=1))


CALLS: dict[str, Callable[..., Any]] = {
    call.__name__: call
    for call in (
        make_tenant,
        retry_at,
        join,
        sign_in,
        sign_out,
        hang_redis,
        stop_workflow,
        resume_workflow,
        lose_a_change,
        begin_recovery,
        ask_before,
        expire,
    )
}


def main() -> None:
    """Answer calls until standard input ends."""
    from awfdrs_site.kernel import embedded

    embedded.connect_environment()
    os.environ["DJANGO_SETTINGS_MODULE"] = "awfdrs_site.settings"
    import django

    django.setup()
    for line in sys.stdin:
        name, arguments = json.loads(line)
        print(json.dumps(CALLS[name](**arguments)), flush=True)


if __name__ == "__main__":
    main()
