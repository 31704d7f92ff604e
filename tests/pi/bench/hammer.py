"""Runs on the Pi: callers that ask the daemon for its state as fast as it answers."""

import asyncio

_CALLERS = 6


async def ask_for_ever() -> None:
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection("/run/sensed/control")
            writer.write(b'{"command":"status"}\n')
            await reader.read()
            writer.close()
        except OSError:
            await asyncio.sleep(0.1)


async def main() -> None:
    await asyncio.gather(*(ask_for_ever() for _ in range(_CALLERS)))


asyncio.run(main())
