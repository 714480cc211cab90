"""G8: from the start of the web process to its first 201."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping

import httpx

from bench.instance import PROJECT, START_SECONDS, free_port, make_tenant
from bench.load import event_document

ROUNDS = 3


def measure() -> list[tuple[float, float]]:
    """Three rounds of (ours, a bare Django + DRF app), seconds."""
    tenant = make_tenant()
    headers = {"Authorization": f"Bearer {tenant['key']}"}
    rounds = []
    for _ in range(ROUNDS):
        ours = _first_201("awfdrs_site.asgi:application", headers, tenant)
        rounds.append((ours, _first_201("bench.bare:application", {}, tenant)))
    return rounds


def _first_201(application: str, headers: Mapping[str, str], tenant: Mapping[str, str]) -> float:
    port = free_port()
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), application]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while time.perf_counter() - began < START_SECONDS:
            if _is_accepted(f"http://127.0.0.1:{port}/api/v1/events", headers, tenant):
                return time.perf_counter() - began
            time.sleep(0.01)
        raise RuntimeError(f"{application} gave no 201 in {START_SECONDS} s")
    finally:
        process.terminate()
        process.wait(10)


def _is_accepted(url: str, headers: Mapping[str, str], tenant: Mapping[str, str]) -> bool:
    document = event_document(tenant["tenant_id"], tenant["workflow_id"], event_type="bench.info")
    try:
        answer = httpx.post(url, json=document, headers=dict(headers), timeout=10, trust_env=False)
    except httpx.TransportError:
        return False
    if answer.status_code not in (201, 503):
        raise RuntimeError(f"{answer.status_code}: {answer.text[:300]}")
    return answer.status_code == 201
