"""A client of the encrypted service on the tests' own phone."""

from __future__ import annotations

from typing import Any

from sensed.provisioning.encrypted import (
    ClientSession,
    DeviceInfo,
    Endpoint,
    SessionEndedError,
    SetupCode,
)
from tests.provisioning.fake_bluez import Phone
from tests.waiting import until

INFO, RX, TX = Endpoint.INFO.uuid, Endpoint.RX.uuid, Endpoint.TX.uuid


class SetupClient:
    """One session after another on one link."""

    def __init__(self, phone: Phone, code: SetupCode) -> None:
        self.phone = phone
        self.code = code
        self.progress: list[str] = []
        self._answers: dict[int, dict[str, Any]] = {}

    async def info(self) -> DeviceInfo:
        return DeviceInfo.parse(await self.phone.read(INFO))

    async def begin(self) -> SetupClient:
        await self.phone.subscribe(TX)
        await self.hello()
        while not self.is_verified:
            await self.hear()
        return self

    @property
    def is_verified(self) -> bool:
        return self._session.is_verified

    async def hello(self) -> None:
        """Say the first words of a session."""
        self._answers.clear()
        self._session = ClientSession(self.code.key(), await self.info())
        await self.write(self._session.begin())

    async def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        return await self.answer(await self.request(do, **arguments))

    async def answer(self, number: int) -> dict[str, Any]:
        while number not in self._answers:
            message = await self.hear()
            if message is not None and "progress" in message:
                self.progress.append(message["progress"])
            elif message is not None:
                self._answers[message["id"]] = message
        return self._answers.pop(number)

    async def ended(self) -> SessionEndedError:
        """Return why the device ends the session, whatever it says before."""
        while True:
            try:
                await self.hear()
            except SessionEndedError as error:
                return error

    async def request(self, do: str, **arguments: Any) -> int:
        number, frames = self._session.request(do, **arguments)
        await self.write(frames)
        return number

    async def write(self, frames: list[bytes]) -> None:
        for frame in frames:
            await self.phone.write(RX, frame)

    async def hear(self) -> dict[str, Any] | None:
        return self._session.received(await self.phone.hears(TX))

    async def lost(self) -> None:
        await until(lambda: not self.phone.is_connected)
