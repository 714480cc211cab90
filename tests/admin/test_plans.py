"""Recovery plans in the admin: written, drawn, saved as versions, retired; each behind its wall."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from actions.models import RecoveryPlan
from actions.plans.reading import STARTER
from actions.plans.templates import ensure_default_plans, save_plan
from awfdrs_site.kernel.actor import MACHINE
from awfdrs_site.kernel.models import AuditEntry
from safety.models import ErrorCode, MessagePattern, RetryPolicy
from tenants.models import Tenant
from tests.admin.conftest import PLAN, World
from tests.admin.test_pages import url
from tests.recoveries import a_recovery

# What each step of a picture begins with.
STEP = 'class="pd-box" data-role="step"'
LATER = PLAN.format(name="better")


def change(plan: RecoveryPlan) -> str:
    return url(RecoveryPlan, "change", plan.pk)


def save(client: Client, plan: RecoveryPlan, source: str = LATER, **more: str) -> Any:
    return client.post(change(plan), {"source": source} | more)


def versions(plan: RecoveryPlan) -> list[int]:
    rows = RecoveryPlan.objects.filter(tenant=plan.tenant_id, name=plan.name)
    return sorted(rows.values_list("version", flat=True))


def newest(plan: RecoveryPlan) -> RecoveryPlan:
    rows = RecoveryPlan.objects.filter(tenant=plan.tenant_id, name=plan.name)
    return rows.latest("version")


def test_a_plan_is_added_drawn_and_audited(anna: Client, world: World) -> None:
    """The form begins with a starter and names every kind; line ends of browsers are not stored."""
    page = anna.get(url(RecoveryPlan, "add")).content.decode()
    assert "name: pause_and_retry" in page
    assert "whole number, from 1 to 86400; 3600 if left out" in page
    body = {"tenant": str(world.tenant.pk), "source": STARTER.replace("\n", "\r\n")}
    assert anna.post(url(RecoveryPlan, "add"), body).status_code == 302
    plan = RecoveryPlan.objects.get(name="pause_and_retry")
    assert (plan.tenant, plan.version, plan.source) == (world.tenant, 1, STARTER)
    assert plan.created_by == world.admin.username
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.actor, entry.after) == ("plan_saved", world.admin.username, STARTER)
    drawn = anna.get(change(plan)).content.decode()
    assert 'aria-label="Pause, retry, watch: 4 steps, begins by itself where it may' in drawn
    assert drawn.count(STEP) == 4


def test_a_mistake_stands_at_the_field_with_its_line_and_nothing_is_stored(
    anna: Client, world: World
) -> None:
    source = PLAN.format(name="x").replace("retry,", "no_such_kind,")
    page = save(anna, world.plan, source).content.decode()
    assert "steps[1].kind, line 5" in page
    assert "is no kind of step" in page
    page = save(anna, world.plan, LATER.replace("seconds: 60", "seconds: 0")).content.decode()
    assert "pause.with.seconds, line 4" in page
    both = PLAN.format(name="x").replace("kind: ", "kind: no_")
    page = save(anna, world.plan, both).content.decode()
    assert "steps[0].kind, line 4" in page
    assert "verify.kind, line 6" in page
    assert "line 1" in save(anna, world.plan, "a: [").content.decode()
    assert versions(world.plan) == [1]


def test_saving_stores_the_next_version_and_leaves_the_one_before(
    anna: Client, world: World
) -> None:
    assert save(anna, world.plan).status_code == 302
    assert versions(world.plan) == [1, 2]
    world.plan.refresh_from_db()
    assert world.plan.source == PLAN.format(name="meridian")
    entry = AuditEntry.objects.latest("pk")
    assert (entry.verb, entry.before, entry.after) == ("plan_saved", world.plan.source, LATER)
    listed = anna.get(url(RecoveryPlan, "changelist")).content.decode()
    assert "Mend better" in listed
    assert "Mend meridian" not in listed, "a line a plan"
    assert anna.get(change(world.plan)).headers["Location"] == change(newest(world.plan))


def test_the_same_text_stores_nothing_and_says_so(anna: Client, world: World) -> None:
    before = AuditEntry.objects.count()
    answer = anna.post(change(world.plan), {"source": world.plan.source}, follow=True)
    assert "Nothing is different: version 1 stays" in answer.content.decode()
    assert versions(world.plan) == [1]
    assert AuditEntry.objects.count() == before


def test_a_preview_checks_and_draws_and_stores_nothing(anna: Client, world: World) -> None:
    """Seen red without `PlanForm.is_valid`: it was stored."""
    source = LATER.replace("title: Mend better", "title: Not stored")
    answer = save(anna, world.plan, source, _preview="1")
    assert answer.status_code == 200
    assert 'aria-label="Not stored: 2 steps' in answer.content.decode()
    body = {"tenant": str(world.tenant.pk), "source": STARTER, "_preview": "1"}
    assert STEP in anna.post(url(RecoveryPlan, "add"), body).content.decode()
    wrong = save(anna, world.plan, "name: mend\nsteps: []\n", _preview="1").content.decode()
    assert "A plan needs a step" in wrong
    assert RecoveryPlan.objects.filter(tenant=world.tenant).count() == 1


def test_an_edit_begun_before_somebody_elses_is_refused_with_what_they_changed(
    anna: Client, boss: Client, world: World
) -> None:
    """Seen red without the look at `newer` in `PlanForm._check_version`: it was written over."""
    assert save(boss, world.plan).status_code == 302
    mine = LATER.replace("better", "mine")
    page = save(anna, world.plan, mine).content.decode()
    assert "boss has saved version 2 since you began; nothing was stored" in page
    assert "-title: Mend meridian" in page
    assert "+title: Mend better" in page
    assert "title: Mend mine" in page, "what was typed stays"
    assert versions(world.plan) == [1, 2]


def test_a_plan_keeps_its_name_and_is_added_once(anna: Client, world: World) -> None:
    renamed = save(anna, world.plan, LATER.replace("name: mend", "name: other"))
    assert "Rules know this plan as mend" in renamed.content.decode()
    body = {"tenant": str(world.tenant.pk), "source": LATER}
    again = anna.post(url(RecoveryPlan, "add"), body).content.decode()
    assert "There is a plan mend already" in again
    assert change(world.plan) in again
    assert RecoveryPlan.objects.filter(tenant=world.tenant).count() == 1


def restore(client: Client, plan: RecoveryPlan, version: str, newest_seen: str) -> str:
    body = {"restore": version, "newest": newest_seen}
    page = client.post(url(RecoveryPlan, "history", plan.pk), body, follow=True)
    return str(page.content.decode())


def test_versions_show_what_changed_and_an_older_one_is_saved_again(
    anna: Client, world: World
) -> None:
    save(anna, world.plan)
    page = anna.get(url(RecoveryPlan, "history", newest(world.plan).pk)).content.decode()
    assert '<span data-tone="red">-title: Mend meridian</span>' in page
    assert '<span data-tone="green">+title: Mend better</span>' in page
    assert "is as in version 1; that is version 3" in restore(anna, world.plan, "1", "2")
    assert newest(world.plan).source == world.plan.source
    assert versions(world.plan) == [1, 2, 3]
    assert AuditEntry.objects.latest("pk").verb == "plan_saved"


@pytest.mark.parametrize(
    ("version", "seen"), [("1", "1"), ("9", "2"), ("", ""), ("1", ""), ("x", "2")]
)
def test_a_stale_restore_stores_nothing(
    anna: Client, world: World, version: str, seen: str
) -> None:
    """Somebody saved after the page was opened. Seen red without the look at `newest`."""
    save(anna, world.plan)
    assert "changed meanwhile" in restore(anna, world.plan, version, seen)
    assert versions(world.plan) == [1, 2]


def retire(client: Client, plan: RecoveryPlan, what: str = "retire") -> Any:
    page = reverse("admin:actions_recoveryplan_retire", args=[plan.pk])
    return client.post(page, {what: "1"}, follow=True)


def test_a_plan_is_retired_and_brought_back(anna: Client, world: World) -> None:
    assert "is retired" in retire(anna, world.plan).content.decode()
    world.plan.refresh_from_db()
    assert world.plan.retired_at is not None
    assert AuditEntry.objects.latest("pk").verb == "plan_retired"
    listed = {
        use: anna.get(url(RecoveryPlan, "changelist"), {"retired": use}).content.decode()
        for use in ("yes", "no")
    }
    assert "Mend meridian" in listed["yes"]
    assert "Mend meridian" not in listed["no"]
    assert "in use again" in retire(anna, world.plan, "bring_back").content.decode()
    assert (newest(world.plan).version, newest(world.plan).retired_at) == (2, None)


def test_only_the_newest_version_is_retired_by_a_post(anna: Client, world: World) -> None:
    save(anna, world.plan)
    assert "changed meanwhile" in retire(anna, world.plan).content.decode()
    page = reverse("admin:actions_recoveryplan_retire", args=[newest(world.plan).pk])
    assert anna.get(page).status_code == 403
    assert not RecoveryPlan.objects.exclude(retired_at=None).exists()


def test_another_tenants_plan_is_neither_seen_nor_touched(
    anna: Client, world: World, other: World
) -> None:
    """By its address, by a retirement, a restoration, and by adding to it."""
    assert "Mend northwind" not in anna.get(url(RecoveryPlan, "changelist")).content.decode()
    theirs = other.plan
    page = reverse("admin:actions_recoveryplan_retire", args=[theirs.pk])
    assert anna.post(page, {"retire": "1"}).status_code == 404
    history = url(RecoveryPlan, "history", theirs.pk)
    assert anna.post(history, {"restore": "1", "newest": "1"}).status_code in (302, 404)
    assert anna.get(change(theirs)).status_code == 302
    assert save(anna, theirs).status_code == 302
    body = {"tenant": str(other.tenant.pk), "source": STARTER}
    assert anna.post(url(RecoveryPlan, "add"), body).status_code == 200
    assert anna.post(url(RecoveryPlan, "add"), {"source": STARTER}).status_code == 200
    theirs.refresh_from_db()
    assert theirs.retired_at is None
    assert versions(theirs) == [1]
    assert not RecoveryPlan.objects.filter(name="pause_and_retry").exists()


def test_everybodys_plans_are_shown_to_a_tenants_admin_and_kept_by_superusers(
    anna: Client, boss: Client, world: World
) -> None:
    ensure_default_plans(timezone.now())
    plan = RecoveryPlan.objects.get(name="quiet_retry")
    page = anna.get(change(plan)).content.decode()
    assert "name: quiet_retry" in page
    assert STEP in page
    for word in ("_preview", "bring_back", 'name="retire"', "<textarea"):
        assert word not in page, "no dead buttons"
    later = plan.source + "\n"
    assert save(anna, plan, later).status_code == 403
    assert retire(anna, plan).status_code == 403
    history = url(RecoveryPlan, "history", plan.pk)
    assert anna.get(history).status_code == 200
    assert anna.post(history, {"restore": "1", "newest": "1"}).status_code == 403
    assert versions(plan) == [1]
    assert save(boss, plan, later).status_code == 302
    assert versions(plan) == [1, 2]


def _named_by_rules(tenant: Tenant | None, plan: str, number: int) -> None:
    policy = RetryPolicy.objects.filter(tenant=None).first()
    rule = {"tenant": tenant, "severity": "low", "category": "unknown", "retry_policy": policy}
    name = f"{plan}_{number}_{tenant.pk if tenant else 'all'}".replace("-", "_")
    ErrorCode.objects.create(**rule, code=name[:64], plan=plan)
    MessagePattern.objects.create(**rule, name=name[:64], pattern=name, plan=plan)


def test_a_line_says_what_uses_the_plan(
    anna: Client, boss: Client, world: World, other: World
) -> None:
    """Rules of its owner and of everybody, with links to them; recoveries of all its versions;
    of everybody's plan, what the reader may see. Seen red without the tenants in `with_uses`."""
    ensure_default_plans(timezone.now())
    shared = RecoveryPlan.objects.get(name="quiet_retry")
    for tenant, name in ((world.tenant, "mend"), (other.tenant, "mend"), (None, "quiet_retry"),
                         (world.tenant, "quiet_retry"), (other.tenant, "quiet_retry")):  # fmt: skip
        _named_by_rules(tenant, name, 1)
    save(anna, world.plan)
    a_recovery(world.incident, plan=world.plan)
    a_recovery(world.incident, plan=newest(world.plan))
    a_recovery(other.incident, plan=other.plan)
    a_recovery(other.incident, plan=shared)

    def said(client: Client, name: str, tenant: Tenant | None) -> tuple[int, int, int]:
        page = client.get(url(RecoveryPlan, "changelist"))
        rows = page.context["cl"].result_list
        (row,) = [row for row in rows if (row.name, row.tenant) == (name, tenant)]
        return row.codes, row.patterns, row.runs

    assert said(anna, "mend", world.tenant) == (1, 1, 2)
    assert said(boss, "mend", other.tenant) == (1, 1, 1)
    assert said(anna, "quiet_retry", None) == (2, 2, 0)
    assert said(boss, "quiet_retry", None) == (3, 3, 1)
    page = anna.get(url(RecoveryPlan, "changelist")).content.decode()
    link = url(ErrorCode, "changelist") + "?plan=mend"
    assert f'href="{link}"' in page
    assert "1 code" in page
    named = anna.get(link)
    assert [row.plan for row in named.context["cl"].result_list] == ["mend"]


def test_a_line_says_whether_it_asks_a_person(boss: Client, world: World) -> None:
    """A point of no return, or an author who wants one."""
    for name, more in (("final", ", irreversible: true"), ("asks", ""), ("runs", "")):
        source = f"name: {name}\nsteps: [{{key: a, kind: retry{more}}}]\n"
        source += "approval: always\n" if name == "asks" else ""
        save_plan(tenant=None, source=source, actor=MACHINE, now=timezone.now())
    page = boss.get(url(RecoveryPlan, "changelist"))
    model_admin = page.context["cl"].model_admin
    said = {row.name: model_admin.begins(row) for row in page.context["cl"].result_list}
    assert said == {
        "final": "Asks a person: point of no return", "asks": "Asks a person",
        "runs": "Can be automatic", "mend": "Can be automatic",
    }  # fmt: skip


def test_the_list_takes_as_many_queries_for_many_plans_as_for_one(
    boss: Client, world: World
) -> None:
    page = url(RecoveryPlan, "changelist")
    boss.get(page)
    with CaptureQueriesContext(connection) as few:
        boss.get(page)
    for number in range(12):
        source = LATER.replace("name: mend", f"name: mend_{number}")
        save_plan(tenant=world.tenant, source=source, actor=MACHINE, now=timezone.now())
        _named_by_rules(world.tenant, f"mend_{number}", number)
    with CaptureQueriesContext(connection) as many:
        boss.get(page)
    assert len(many) == len(few)


def test_what_people_write_is_text_in_the_picture(anna: Client, world: World) -> None:
    source = LATER.replace("Mend better", "'<script>alert(1)</script>'")
    page = save(anna, world.plan, source, _preview="1").content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_plan_whose_kind_is_gone_still_opens(boss: Client, world: World) -> None:
    """A kind was in the catalog when it was saved."""
    document = dict(world.plan.document)
    document["groups"][0][0]["kind"] = "gone_since"
    RecoveryPlan.objects.filter(pk=world.plan.pk).update(document=document)
    assert "gone_since" in boss.get(change(world.plan)).content.decode()
