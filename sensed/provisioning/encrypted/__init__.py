"""The encrypted set-up service, both of its ends, without any input or output.

docs/setup-protocol.md describes it octet by octet. Public doors: :class:`SetupSession` (the
device), :class:`ClientSession` (a laptop), :class:`SetupCode`.
"""

from __future__ import annotations

from sensed.provisioning.encrypted.client import ClientSession, DeviceInfo, SessionEndedError
from sensed.provisioning.encrypted.code import SetupCode
from sensed.provisioning.encrypted.frames import LONGEST_FRAME
from sensed.provisioning.encrypted.info import SERVICE_UUID, Endpoint, info
from sensed.provisioning.encrypted.lockout import Lockout
from sensed.provisioning.encrypted.messages import RefusedError, Request
from sensed.provisioning.encrypted.noise import is_loaded, load
from sensed.provisioning.encrypted.session import (
    Action,
    Begun,
    End,
    Ended,
    HangUp,
    Phase,
    Send,
    Serve,
    SetupSession,
    WrongCode,
)

__all__ = [
    "LONGEST_FRAME",
    "SERVICE_UUID",
    "Action",
    "Begun",
    "ClientSession",
    "DeviceInfo",
    "End",
    "Ended",
    "Endpoint",
    "HangUp",
    "Lockout",
    "Phase",
    "RefusedError",
    "Request",
    "Send",
    "Serve",
    "SessionEndedError",
    "SetupCode",
    "SetupSession",
    "WrongCode",
    "info",
    "is_loaded",
    "load",
]
