"""`/ws/live/`: an open page says which topics it follows, and gets what the hub sends it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from awfdrs_site.live.hub import REFUSED, SIGNED_OUT, OpenPage, hub
from awfdrs_site.live.topics import INCIDENT, PERSON, is_topic
from incidents.models import Incident
from tenants.access import Identity, identity_of_scope

MOST_TOPICS = 50


def _owns_all(identity: Identity, topics: list[str]) -> bool:
    """Whether every incident among the topics is the tenant's own, and every person this one."""
    own = identity.user.pk if identity.user else None
    if any(found[1] != str(own) for topic in topics if (found := PERSON.fullmatch(topic))):
        return False
    ids = {found[1] for topic in topics if (found := INCIDENT.fullmatch(topic))}
    return Incident.objects.filter(tenant=identity.tenant, pk__in=ids).count() == len(ids)


class LiveConsumer(AsyncJsonWebsocketConsumer):
    """One open page. Its tenant is the session's; a topic name cannot reach another tenant's."""

    page: OpenPage | None = None
    forwarding: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        identity = await database_sync_to_async(identity_of_scope)(self.scope)
        await self.accept()
        if identity is None:
            is_known = self.scope["user"].is_authenticated
            await self.close(REFUSED if is_known else SIGNED_OUT)
            return
        self.page = OpenPage(identity, self.scope["session"].session_key)
        self.forwarding = asyncio.create_task(self._forward(self.page))

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        try:
            return json.loads(text_data)
        except ValueError:
            return None

    async def receive_json(self, content: Any, **_: Any) -> None:
        """`{"subscribe": [topic], "age": seconds since the page was made}`, or `{"took": 1}`."""
        if self.page is None:
            return
        match content:
            case {"took": 1}:
                self.page.took_one()
            case {"subscribe": list(topics), "age": int() | float() as age} if await self._may(
                topics
            ):
                hub.join(self.page, topics, age)
            case _:
                await self.close(REFUSED)

    async def _may(self, topics: list[Any]) -> bool:
        assert self.page is not None
        if len(topics) > MOST_TOPICS or not all(is_topic(topic) for topic in topics):
            return False
        return await database_sync_to_async(_owns_all)(self.page.identity, topics)

    async def _forward(self, page: OpenPage) -> None:
        while True:
            frame = await page.queue.get()
            if isinstance(frame, int):
                hub.leave(page)
                await self.close(frame)
                return
            await self.send(frame)

    async def disconnect(self, code: int) -> None:
        if self.page is not None:
            hub.leave(self.page)
        if self.forwarding is not None:
            self.forwarding.cancel()
