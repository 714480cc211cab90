"""What the palette offers without looking anything up: pages, and what a person may have done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from tenants.models import Density, Scope, Theme


@dataclass(frozen=True)
class Hit:
    """One line that leads somewhere: by a link, or with `post` by a form with that name and value.

    `ask`: the link's page is a question, shown as a dialog where there is a script.
    """

    icon: str
    label: str
    href: str
    detail: str = ""
    post: tuple[str, str] = ("", "")
    ask: bool = False


@dataclass(frozen=True)
class Place:
    """A page or an act: its URL's name, what it is called, by which words else, and who may."""

    icon: str
    label: str
    name: str
    also: str = ""
    needs: Scope = Scope.READ
    post: tuple[str, str] = ("", "")
    ask: bool = False

    def hit(self) -> Hit:
        return Hit(self.icon, self.label, reverse(self.name), "", self.post, self.ask)


PAGES = (
    Place("overview", "Overview", "overview", "home dashboard chart feed"),
    Place("incident", "Incidents", "incidents:list", "failures triage list"),
    Place("approve", "Approvals", "actions:approvals", "approve reject decide queue"),
    Place("actions", "Actions", "actions:list", "sends retries"),
    Place("retry", "Recoveries", "recoveries:list", "plans runs rollback"),
    Place("workflow", "Workflows", "workflows:list", "health engines"),
    Place("bars", "Reports", "reports:page", "charts mttr mtta recovery time calls saved"),
    Place("shield", "Safety", "safety:page", "switches breakers limits vendors"),
    Place("history", "Past stops", "safety:stops", "switches history"),
    Place("rules", "Rules", "rules:page", "what-if replay policy"),
    Place("spark", "Learning", "learning:page", "trust outcomes"),
    Place("admin", "Settings: profile", "settings:profile", "name password time zone theme keys"),
    Place("admin", "Settings: members", "settings:members", "people roles"),
    Place("admin", "Settings: keys", "settings:keys", "api ingest tokens"),
    Place("admin", "Settings: notification", "settings:notification", "channels escalation email"),
    Place("history", "Audit log", "audit:page", "changes who", Scope.ADMIN),
    Place("table", "Admin", "admin:index", "django tables", Scope.ADMIN),
    Place("code", "API", "swagger", "docs openapi schema"),
)
COMMANDS = (
    Place(
        "power", "Stop automation…", "safety:stop", "kill switch halt pause", Scope.ACT, ask=True
    ),
    *(
        Place(icon, f"Theme: {theme.label.lower()}", "ui:theme", "look mode", post=("theme", theme))
        for icon, theme in zip(("moon", "sun", "monitor"), Theme, strict=True)
    ),
    *(
        Place(
            "table",
            f"Rows: {one.label.lower()}",
            "settings:density",
            "density",
            post=("density", one),
        )
        for one in Density
    ),
    Place("logout", "Sign out", "logout", "log out leave", post=("sure", "yes")),
)


def matching(places: Sequence[Place], words: Sequence[str], scopes: frozenset[str]) -> list[Hit]:
    """Those that the person may use and that have every word, at a word's beginning."""

    def fits(place: Place) -> bool:
        said = f"{place.label} {place.also}".lower().replace(":", " ").split()
        return all(any(one.startswith(word.lower()) for one in said) for word in words)

    return [place.hit() for place in places if place.needs in scopes and fits(place)]
