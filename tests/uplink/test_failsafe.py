from __future__ import annotations

import json

from sensed.uplink.failsafe import HeadroomSignal
from sensed.uplink.topics import Topics
from tests.uplink.tools import POWER_ONLY, WITH_CURRENTS

TOPICS = Topics("sensed", "pi-1")


def test_the_will_is_the_contracts() -> None:
    will = HeadroomSignal(TOPICS).will()
    assert (will.topic, will.qos, will.retain) == ("sensed/pi-1/headroom", 1, True)
    assert will.payload == (
        b'{"v":1,"online":false,"mode":"failsafe","reason":"offline",'
        b'"headroom_a":null,"failsafe_a":6}'
    )


def test_the_reason_follows_the_connection_and_the_lists() -> None:
    signal = HeadroomSignal(TOPICS, failsafe_a=0)
    seen = []
    for message in (
        signal.connected(),
        signal.received(POWER_ONLY),
        signal.received(WITH_CURRENTS),
        signal.received(WITH_CURRENTS),
        signal.stopping(),
        signal.received(WITH_CURRENTS),
        signal.connected(),
    ):
        payload = json.loads(message.payload) if message else {}
        seen.append((payload.get("reason"), payload.get("online"), payload.get("failsafe_a")))
    nothing = (None, None, None)
    assert seen == [
        ("starting", True, 0),
        nothing,
        ("no_fuse", True, 0),
        nothing,
        ("stopping", False, 0),
        nothing,
        ("starting", True, 0),
    ]
