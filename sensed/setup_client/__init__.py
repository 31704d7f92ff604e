"""Set-up from a laptop: finds a device over Bluetooth and talks to its encrypted service.

Public doors: :func:`find`, :func:`conversation`.
"""

from __future__ import annotations

from sensed.setup_client.conversation import Conversation, RequestRefusedError, conversation
from sensed.setup_client.link import Found, LinkLostError, find

__all__ = [
    "Conversation",
    "Found",
    "LinkLostError",
    "RequestRefusedError",
    "conversation",
    "find",
]
