"""A subscriber for the demonstration: what a consumer of the readings would see."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Final

import aiomqtt

_LOGGER: Final = logging.getLogger(__name__)
"""Without a word: what fails is raised as well, and an end of the demonstration in the middle of
subscribing makes aiomqtt report, with a traceback, the answer that it waits for no longer."""

_LOGGER.disabled = True


async def messages(host: str, port: int, topics: str) -> AsyncIterator[tuple[str, bytes]]:
    """Yield (topic, payload) of everything published under ``topics``."""
    async with aiomqtt.Client(host, port, logger=_LOGGER) as client:
        await client.subscribe(topics, qos=1)
        async for message in client.messages:
            payload = message.payload
            yield message.topic.value, payload if isinstance(payload, bytes) else b""
