"""`/ws/live/`: an open page says which topics it follows, and gets what the hub sends it.

An ASGI application of its own: a consumer of Channels hops to a thread and back for each message,
which with hundreds of pages costs more than all that is sent to them.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from channels.db import database_sync_to_async

from awfdrs_site.live.direct import WRITE
from awfdrs_site.live.hub import REFUSED, SIGNED_OUT, hub
from awfdrs_site.live.page import Frame, OpenPage
from awfdrs_site.live.topics import INCIDENT, PERSON, is_topic
from incidents.models import Incident
from tenants.access import Identity, identity_of_scope

MOST_TOPICS = 50

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def live(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """One open page. Its tenant is the session's; a topic name cannot reach another tenant's."""
    await receive()
    identity = await database_sync_to_async(identity_of_scope)(scope)
    await send({"type": "websocket.accept"})
    if identity is None:
        code = REFUSED if scope["user"].is_authenticated else SIGNED_OUT
        await send({"type": "websocket.close", "code": code})
        return
    frames: asyncio.Queue[Frame | int] = asyncio.Queue()
    directly = scope.get(WRITE)

    def write(frame: Frame | int) -> None:
        if directly and isinstance(frame, Frame):
            directly(frame.raw)
        else:
            frames.put_nowait(frame)

    page = OpenPage(identity, scope["session"].session_key, write)
    forwarding = asyncio.create_task(_forward(page, frames, send))
    try:
        while (message := await receive())["type"] == "websocket.receive":
            if not await _heed(page, _read(message.get("text"))):
                page.offer(REFUSED)
    finally:
        hub.leave(page)
        forwarding.cancel()


async def _forward(page: OpenPage, frames: asyncio.Queue[Frame | int], send: Send) -> None:
    while True:
        frame = await frames.get()
        if isinstance(frame, int):
            hub.leave(page)
            await send({"type": "websocket.close", "code": frame})
            return
        await send({"type": "websocket.send", "text": frame.text})


def _read(text: str | None) -> Any:
    try:
        return json.loads(text or "")
    except ValueError:
        return None


async def _heed(page: OpenPage, said: Any) -> bool:
    """`{"subscribe": [topic], "age": seconds since the page was made}`, or `{"took": frames}`;
    whether it was one of them."""
    match said:
        case {"took": int() as frames} if frames > 0:
            page.took(frames)
        case {"subscribe": list(topics), "age": int() | float() as age}:
            if not await _may_follow(page.identity, topics):
                return False
            hub.join(page, topics, age)
        case _:
            return False
    return True


async def _may_follow(identity: Identity, topics: list[Any]) -> bool:
    if len(topics) > MOST_TOPICS or not all(is_topic(topic) for topic in topics):
        return False
    return await database_sync_to_async(_owns_all)(identity, topics)


def _owns_all(identity: Identity, topics: list[str]) -> bool:
    """Whether every incident among the topics is the tenant's own, and every person this one."""
    own = identity.user.pk if identity.user else None
    if any(found[1] != str(own) for topic in topics if (found := PERSON.fullmatch(topic))):
        return False
    ids = {found[1] for topic in topics if (found := INCIDENT.fullmatch(topic))}
    return Incident.objects.filter(tenant=identity.tenant, pk__in=ids).count() == len(ids)
