"""One encrypted session with one device: questions and answers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from sensed.errors import SensedError, WireError
from sensed.provisioning.encrypted import ClientSession, DeviceInfo, SetupCode
from sensed.setup_client.link import Found, Link, LinkLostError, connected

_SILENCE_S: Final = 30.0
"""A device that works on something says so every 15 s."""


class RequestRefusedError(SensedError):
    """The device did not do what was asked; ``code`` says why, in a stable word."""

    def __init__(self, code: str, text: str, key: str = "") -> None:
        """``key`` is the setting that is meant, if any."""
        super().__init__(text)
        self.code = code
        self.key = key


class Conversation:
    """Asks one question after the other; any error but a refusal is the end."""

    def __init__(self, link: Link, session: ClientSession) -> None:
        """Use a link that listens."""
        self._link = link
        self._session = session

    async def begin(self) -> None:
        """Make sure, and let the device make sure, that both know the set-up code.

        Raises SessionEndedError, LinkLostError.
        """
        for frame in self._session.begin():
            await self._link.write(frame)
        while not self._session.is_verified:
            self._session.received(await self._link.hear(_SILENCE_S))

    async def ask(
        self,
        do: str,
        on_progress: Callable[[str], None] = lambda _word: None,
        **arguments: Any,
    ) -> Mapping[str, Any]:
        """Return the answer to a request, without its envelope.

        Raises RequestRefusedError, SessionEndedError, LinkLostError.
        """
        number, frames = self._session.request(do, **arguments)
        for frame in frames:
            await self._link.write(frame)
        while True:
            said = self._session.received(await self._link.hear(_SILENCE_S))
            if said is None or said.get("id") != number:
                continue
            if "progress" in said:
                on_progress(str(said["progress"]))
            elif said.get("ok") is True:
                return {key: it for key, it in said.items() if key not in ("v", "id", "ok")}
            else:
                raise RequestRefusedError(
                    str(said.get("code", "failed")),
                    str(said.get("text", "The device refused.")),
                    str(said.get("key", "")),
                )


@contextlib.asynccontextmanager
async def conversation(found: Found, code: SetupCode) -> AsyncIterator[Conversation]:
    """Connect to a device and begin an encrypted session with it.

    Raises SessionEndedError, LinkLostError.
    """
    async with connected(found) as link:
        try:
            info = DeviceInfo.parse(await link.info())
        except WireError as error:
            raise LinkLostError(f"{found.name} does not speak this protocol: {error}.") from None
        if info.busy:
            raise LinkLostError(f"{found.name} is being set up by another client: try later.")
        await link.listen()
        talk = Conversation(link, ClientSession(code.key(), info))
        await talk.begin()
        yield talk
