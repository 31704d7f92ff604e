"""A subscriber for the demonstration: what a consumer of the readings would see."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiomqtt


async def messages(host: str, port: int, topics: str) -> AsyncIterator[tuple[str, bytes]]:
    """Yield (topic, payload) of everything published under ``topics``."""
    async with aiomqtt.Client(host, port) as client:
        await client.subscribe(topics, qos=1)
        async for message in client.messages:
            payload = message.payload
            yield message.topic.value, payload if isinstance(payload, bytes) else b""
