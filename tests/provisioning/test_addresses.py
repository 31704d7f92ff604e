"""The address watch against the kernel itself, in a network namespace of its own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import asyncio, subprocess, sys
from sensed.provisioning import AddressWatch

async def main():
    seen = asyncio.Queue()
    watch = AddressWatch(seen.put_nowait, loopback_counts=sys.argv[1] == "loopback")
    task = asyncio.create_task(watch.run())

    async def told():
        print(",".join(await asyncio.wait_for(seen.get(), 5)) or "none", flush=True)

    def ip(*words):
        subprocess.run(["ip", *words], check=True)

    await told()
    ip("link", "set", "lo", "up")
    if sys.argv[1] == "loopback":
        await told()
    ip("addr", "add", "192.0.2.7/32", "dev", "lo")
    await told()
    ip("addr", "add", "169.254.3.4/16", "dev", "lo")
    ip("addr", "add", "2001:db8::7/128", "dev", "lo", "nodad")
    await told()
    ip("addr", "del", "192.0.2.7/32", "dev", "lo")
    ip("addr", "del", "2001:db8::7/128", "dev", "lo")
    await told()
    task.cancel()

asyncio.run(main())
"""


# Root needs no user namespace for one of the network, and has none in a chroot or container.
OWN_NETWORK = ["unshare", *([] if os.getuid() == 0 else ["--map-root-user"]), "--net"]

pytestmark = pytest.mark.skipif(
    subprocess.run([*OWN_NETWORK, "true"], capture_output=True, check=False).returncode != 0,
    reason="this machine gives no network namespace",
)


def told(mode: str) -> list[str]:
    command = [*OWN_NETWORK, sys.executable, "-c", SCRIPT, mode]
    done = subprocess.run(command, capture_output=True, text=True, timeout=25, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_changes_of_usable_addresses_are_told_and_others_are_not() -> None:
    assert told("links") == ["none", "192.0.2.7", "192.0.2.7,2001:db8::7", "none"]


def test_loopback_counts_only_when_asked() -> None:
    assert told("loopback") == [
        "none",
        "127.0.0.1,::1",
        "127.0.0.1,192.0.2.7,::1",
        "127.0.0.1,192.0.2.7,2001:db8::7,::1",
        "127.0.0.1,::1",
    ]
