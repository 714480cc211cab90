"""Clear task instances of an Airflow run, so that the scheduler runs them again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

import msgspec

from actions.catalog.connected import Connected
from actions.catalog.kind import Outcome
from actions.connectors.calling import Caller, Link, document
from actions.connectors.kinds.airflow import headers_of, url_of
from actions.retry_call import answered
from awfdrs_site.kernel.strict_json import encode

# Airflow's own rule for a key, without one of dots alone.
_KEY = r"^(?!\.+$)[\w.-]+\Z"


class ClearParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of one DAG; `task_ids` empty: all of its tasks (with `only_failed`, that failed)."""

    connector: str
    dag_id: Annotated[str, msgspec.Meta(pattern=_KEY, max_length=250)]
    dag_run_id: Annotated[str, msgspec.Meta(pattern=r"^(?!\.+$)[^/]+\Z", max_length=250)]
    task_ids: list[str] = []
    only_failed: bool = True


class AirflowClear(Connected):
    name = "airflow_clear"
    label = "Clear Airflow tasks"
    says = "Clears tasks of one Airflow run; the scheduler runs them again."
    goes_to = "Airflow"
    parameters = ClearParameters
    via = "airflow"
    ends = "when_asked"

    def target(self, link: Link, parameters: ClearParameters) -> tuple[str, str]:
        return "POST", url_of(link, f"/dags/{quote(parameters.dag_id)}/clearTaskInstances")

    def send(self, caller: Caller, parameters: ClearParameters, key: str, now: datetime) -> Outcome:
        method, url = self.target(caller.link, parameters)
        body: dict[str, Any] = {
            "dry_run": False,
            "dag_run_id": parameters.dag_run_id,
            "only_failed": parameters.only_failed,
            "reset_dag_runs": True,
        }
        if parameters.task_ids:
            body["task_ids"] = parameters.task_ids
        headers = headers_of(caller.link) | {"Content-Type": "application/json"}
        reply = caller.http(method, url, headers, encode(body))
        outcome = answered(reply)
        if outcome.certainty != "accepted":
            return outcome
        cleared = document(reply).get("task_instances", [])
        words = f"{len(cleared)} task{'' if len(cleared) == 1 else 's'} cleared."
        if not cleared:
            return Outcome("refused", reply.status, "There was no such task to clear.")
        return Outcome("accepted", reply.status, words, result={"cleared": len(cleared)})

    def question(
        self,
        caller: Caller,
        parameters: ClearParameters,
        key: str,
        now: datetime,
        result: Mapping[str, Any],
    ) -> Outcome:
        """The run's state. In doubt only a run that works shows that the tasks were cleared: one
        that ended may have done so before."""
        path = f"/dags/{quote(parameters.dag_id)}/dagRuns/{quote(parameters.dag_run_id, safe='')}"
        reply = caller.http("GET", url_of(caller.link, path), headers_of(caller.link))
        state = document(reply).get("state")
        words = f"The run is {state}."
        if state in ("queued", "running"):
            return Outcome("accepted", reply.status, words)
        if state in ("success", "failed") and result.get("taken"):
            return Outcome("accepted", reply.status, words, ended=state == "success")
        return Outcome("unknown", reply.status, words)


KIND = AirflowClear()
