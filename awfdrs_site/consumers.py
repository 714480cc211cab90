"""`/ws/live/`: joins a tenant's topics and forwards what was already rendered."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from awfdrs_site.kernel import live
from incidents.models import Incident
from tenants.access import tenant_of_session

TOPIC = re.compile(
    r"(incidents|overview|feed|approvals|actions|recoveries|safety|channels"
    r"|incident:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})"
)
MAX_TOPICS = 50
REFUSED = 4403


def _owns_all(tenant_id: UUID, topics: list[str]) -> bool:
    """Whether every incident among the topics is the tenant's own."""
    ids = {topic.partition(":")[2] for topic in topics if ":" in topic}
    return Incident.objects.filter(tenant_id=tenant_id, pk__in=ids).count() == len(ids)


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """One open page. Its tenant is the session's; a topic name cannot reach another tenant's."""

    async def connect(self) -> None:
        self.topics: set[str] = set()
        self.tenant_id = await database_sync_to_async(tenant_of_session)(self.scope)
        await self.accept()
        if self.tenant_id is None:
            await self.close(REFUSED)

    async def receive_json(self, content: Any, **_: Any) -> None:
        wanted = content.get("subscribe") if isinstance(content, dict) else None
        if not isinstance(wanted, list) or not all(
            isinstance(topic, str) and TOPIC.fullmatch(topic) for topic in wanted
        ):
            await self.close(REFUSED)
            return
        if not await database_sync_to_async(_owns_all)(self.tenant_id, wanted[:MAX_TOPICS]):
            await self.close(REFUSED)
            return
        for topic in set(wanted[:MAX_TOPICS]) - self.topics:
            await self.channel_layer.group_add(live.group(self.tenant_id, topic), self.channel_name)
            self.topics.add(topic)
        await self.send_json({"topic": "subscribed", "data": sorted(self.topics)})

    async def disconnect(self, code: int) -> None:
        for topic in self.topics:
            name = live.group(self.tenant_id, topic)
            await self.channel_layer.group_discard(name, self.channel_name)

    async def live_message(self, message: dict[str, Any]) -> None:
        del message["type"]
        await self.send_json(message)
