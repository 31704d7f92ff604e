"""The page's core in a real browser, against published vectors and the device's own code."""

from __future__ import annotations

import json
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from sensed.errors import ConfigError, WireError
from sensed.provisioning.encrypted import SetupCode
from sensed.provisioning.encrypted.frames import Joiner, Kind
from tests.page.browser import Page
from tests.page.site import Site
from tests.provisioning.encrypted import test_noise as vectors

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

EXAMPLE: Final = json.loads(
    (Path(__file__).parents[1] / "provisioning" / "encrypted" / "example.json").read_text()
)
NO_X25519: Final = """
const generate = SubtleCrypto.prototype.generateKey;
SubtleCrypto.prototype.generateKey = function (how, ...rest) {
  if (how.name !== "X25519") return generate.call(this, how, ...rest);
  return Promise.reject(new DOMException("Unrecognized name.", "NotSupportedError"));
};
"""
LOW_ORDER: Final = (
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


@pytest_asyncio.fixture(loop_scope="session")
async def module(page: Page, site: Site) -> Page:
    await page.go(site.url)
    return page


@pytest_asyncio.fixture(loop_scope="session", params=["built in", "own"])
async def core(request: pytest.FixtureRequest, page: Page, site: Site) -> AsyncIterator[Page]:
    """The page with the browser's X25519, or on a browser that has none."""
    if request.param == "own":
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=NO_X25519)
    await page.go(site.url)
    assert await run(page, "x25519", "return m.isBuiltIn();") is (request.param == "built in")
    yield page


async def run(page: Page, name: str, body: str, **given: Any) -> Any:
    """Run ``body`` with a module of the core as ``m``, and its octets as hexadecimal digits."""
    return await page.evaluate(
        f"""(async () => {{
          const m = await import("./core/{name}.js");
          const {{ fromHex, toHex }} = await import("./core/octets.js");
          const given = {json.dumps(given)};
          {body}
        }})()"""
    )


# -- RFC 7748 ------------------------------------------------------------------------


async def test_the_vectors_of_the_function(module: Page) -> None:
    body = "return given.vectors.map(([k, u]) => toHex(m.scalarMult(fromHex(k), fromHex(u))));"
    vector = [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
        ),
    ]
    assert await run(module, "x25519", body, vectors=vector) == [
        "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
    ]


async def test_the_iterated_vectors(module: Page) -> None:
    body = """
    let k = new Uint8Array(32), u = new Uint8Array(32);
    k[0] = u[0] = 9;
    const seen = {};
    for (let count = 1; count <= 1000; count += 1) {
      [k, u] = [m.scalarMult(k, u), k];
      seen[count] = toHex(k);
    }
    return [seen[1], seen[1000]];
    """
    assert await run(module, "x25519", body) == [
        "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079",
        "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51",
    ]


async def test_the_vectors_of_the_exchange(core: Page) -> None:
    body = """
    const alice = await m.keyPair(fromHex(given.a)), bob = await m.keyPair(fromHex(given.b));
    return [alice.publicKey, bob.publicKey, await alice.shared(bob.publicKey),
            await bob.shared(alice.publicKey)].map(toHex);
    """
    shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert await run(
        core,
        "x25519",
        body,
        a="77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
        b="5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    ) == [
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
        shared,
        shared,
    ]


async def test_both_ways_to_compute_agree(module: Page) -> None:
    body = """
    for (let count = 0; count < 30; count += 1) {
      const built = await m.builtInPair(), own = m.ownPair();
      const [one, other] = [await built.shared(own.publicKey), await own.shared(built.publicKey)];
      if (toHex(one) !== toHex(other)) return toHex(own.publicKey);
    }
    return "agree";
    """
    assert await run(module, "x25519", body) == "agree"


async def test_a_key_that_fixes_the_secret_is_refused(module: Page) -> None:
    body = """
    const told = [];
    for (const point of given.points) {
      for (const pair of [await m.builtInPair(), m.ownPair()]) {
        told.push(await pair.shared(fromHex(point)).then(toHex, (e) => e.constructor.name));
      }
    }
    return told;
    """
    told = await run(module, "x25519", body, points=LOW_ORDER)
    assert told == ["LowOrderError"] * 2 * len(LOW_ORDER)


# -- Noise ---------------------------------------------------------------------------


async def test_the_published_vector_of_noise(core: Page) -> None:
    body = """
    const message = given.messages.map(([payload, octets]) => [fromHex(payload), fromHex(octets)]);
    const ours = new m.Initiator(fromHex(given.psk), fromHex(given.prologue), fromHex(given.key));
    const told = [toHex(await ours.begin(message[0][0]))];
    const { payload, send, receive } = await ours.finish(message[1][1]);
    told.push(toHex(payload), toHex(ours.hash));
    for (let number = 2; number < 6; number += 1) {
      const [plain, sealed] = message[number];
      told.push(toHex(await (number % 2 ? receive.decrypt(sealed) : send.encrypt(plain))));
    }
    return told;
    """
    messages = vectors.MESSAGES
    assert await run(
        core,
        "noise",
        body,
        psk=vectors.PSK.hex(),
        prologue=vectors.PROLOGUE.hex(),
        key=vectors.INITIATOR.hex(),
        messages=messages,
    ) == [
        messages[0][1],
        messages[1][0],
        vectors.HASH,
        messages[2][1],
        messages[3][0],
        messages[4][1],
        messages[5][0],
    ]


async def test_the_example_of_the_protocol_s_description(core: Page) -> None:
    body = """
    const { parse, sessionKey } = await import("./core/code.js");
    const { utf8 } = await import("./core/octets.js");
    const key = await sessionKey(parse(given.code));
    const info = m.parseInfo(utf8(given.info));
    const session = new m.ClientSession(key, info, fromHex(given.client_key));
    const frames = await session.begin();
    const heard = [];
    let isAsked = false;
    for (const frame of given.device_frames) {
      heard.push(await session.received(fromHex(frame)));
      if (session.isVerified && !isAsked) {
        isAsked = true;
        frames.push(...(await session.request("hello")).frames);
      }
    }
    const said = heard.filter((message) => message !== null);
    return [toHex(key), frames.map(toHex), said, toHex(session.hash)];
    """
    assert await run(core, "session", body, **EXAMPLE) == [
        EXAMPLE["psk"],
        EXAMPLE["client_frames"],
        [json.loads(EXAMPLE["answer"])],
        EXAMPLE["handshake_hash"],
    ]


# -- against the device's own code ---------------------------------------------------


def mangled(chance: random.Random, code: str) -> str:
    """Return a code as somebody might type it, right or wrong."""
    symbols = list(code)
    for _ in range(chance.choice((0, 0, 1, 1, 2))):
        place = chance.randrange(len(symbols))
        kind = chance.randrange(5)
        if kind == 0:
            symbols[place] = chance.choice("0123456789ABCDEFGHJKMNPQRSTVWXYZ")
        elif kind == 1:
            symbols[place] = chance.choice("UOILoil-_ä*.\u00df\ufb01")
        elif kind == 2:
            symbols.insert(place, chance.choice("- \u00a0\u2010\u2011\u2012\u2013\u2014\u2212\t"))
        elif kind == 3:
            del symbols[place]
        else:
            other = (place + 1) % len(symbols)
            symbols[place], symbols[other] = symbols[other], symbols[place]
    typed = "".join(symbols)
    return typed.lower() if chance.random() < 0.3 else typed


async def test_a_typed_code_is_read_as_the_device_reads_it(module: Page) -> None:
    chance = random.Random(7)
    typed = [mangled(chance, SetupCode.generate().grouped) for _ in range(400)]
    typed += ["", "-" * 99, "0" * 21, "0" * 100, "0" * 101, "O" * 21, "I" * 20 + "l"]

    def read(text: str) -> str | None:
        try:
            return SetupCode.parse(text).symbols.reveal()
        except ConfigError:
            return None

    body = """
    return given.typed.map((text) => {
      try {
        return m.parse(text);
      } catch (error) {
        if (error instanceof m.CodeError) return null;
        throw error;
      }
    });
    """
    expected = [read(text) for text in typed]
    assert 100 < sum(code is not None for code in expected) < 350
    assert await run(module, "code", body, typed=typed) == expected


def frame_sequences(chance: random.Random) -> list[list[bytes]]:
    """Return what a device might say, right or wrong."""
    found = []
    for _ in range(800):
        kind = chance.choice((1, 2, 2, 3, 3, 4, 4, 5, 0))
        length = chance.choice((0, 5, 5, 16, 17, 48, 48, 49, 100, 4112, 4113))
        octets = chance.randbytes(length)
        piece = chance.choice((18, 40, 242, 300))
        frames = [
            bytes((kind | (0x80 if start + piece >= length else 0), number % 256))
            + octets[start : start + piece]
            for number, start in enumerate(range(0, length, piece))
        ]
        if frames and chance.random() < 0.4:
            place = chance.randrange(len(frames))
            frame = bytearray(frames[place])
            frame[chance.randrange(2)] ^= 1 << chance.randrange(8)
            frames[place] = bytes(frame)
        found.append(frames)
    return found


async def test_frames_are_joined_and_refused_as_the_device_does(module: Page) -> None:
    expected_kinds = frozenset({Kind.SECOND, Kind.TRANSPORT, Kind.END})

    def joined(frames: list[bytes]) -> list[Any]:
        joiner, told = Joiner(), []
        for frame in frames:
            try:
                message = joiner.receive(frame, expected_kinds)
            except WireError:
                return [*told, "refused"]
            told.append(message and [message.kind.value, message.octets.hex()])
        return told

    body = """
    return given.sequences.map((frames) => {
      const joiner = new m.Joiner(), told = [];
      for (const frame of frames) {
        try {
          const message = joiner.receive(fromHex(frame), [2, 3, 4]);
          told.push(message && [message.kind, toHex(message.octets)]);
        } catch (error) {
          if (!(error instanceof m.WireError)) throw error;
          return [...told, "refused"];
        }
      }
      return told;
    });
    """
    sequences = frame_sequences(random.Random(3))
    expected = [joined(frames) for frames in sequences]
    outcomes = [told[-1] for told in expected if told]
    assert outcomes.count("refused") > 100
    assert sum(isinstance(outcome, list) for outcome in outcomes) > 50
    digits = [[frame.hex() for frame in frames] for frames in sequences]
    assert await run(module, "frames", body, sequences=digits) == expected


async def test_whoever_does_not_know_the_code_is_told_nothing(module: Page) -> None:
    body = """
    const { Cutter } = await import("./core/frames.js");
    const { utf8 } = await import("./core/octets.js");
    const written = [];
    const link = {
      isClosed: false,
      readInfo: async () => utf8(given.info),
      async write(frame) {
        written.push(frame.length);
        if (written.length < 3) return;
        const cutter = new Cutter();
        for (const answer of cutter.cut(2, new Uint8Array(48).fill(9), 20)) this.onFrame(answer);
      },
      close() { this.isClosed = true; },
    };
    const told = await m.Conversation.open(link, new Uint8Array(32)).then(
      () => "open", (error) => error.why);
    return [told, written, link.isClosed];
    """
    told = await run(module, "conversation", body, info=EXAMPLE["info"])
    assert told == ["impostor", [20, 20, 15], True]


async def test_no_octets_do_more_than_end_the_session(module: Page) -> None:
    body = """
    const info = { versions: [1], frame: 20 };
    const told = new Set();
    for (const frames of given.sequences) {
      const session = new m.ClientSession(new Uint8Array(32), info);
      await session.begin();
      for (const frame of frames) {
        try {
          await session.received(fromHex(frame));
        } catch (error) {
          if (!(error instanceof m.SessionEndedError)) throw error;
          told.add(error.why);
          break;
        }
      }
      if (session.isVerified) return "verified";
    }
    return [...told].sort();
    """
    digits = [[frame.hex() for frame in frames] for frames in frame_sequences(random.Random(5))]
    told = await run(module, "session", body, sequences=digits)
    assert {"broken", "impostor"} <= set(told)


async def test_information_that_is_not_readable_is_told(module: Page) -> None:
    body = """
    const { utf8 } = await import("./core/octets.js");
    return given.texts.map((text) => {
      try {
        return m.parseInfo(utf8(text));
      } catch (error) {
        return error.why;
      }
    });
    """
    texts = ["", "[]", "null", "{}", '{"v":[]}', '{"v":"1"}', '{"v":[0]}', '{"v":[256]}', "x"]
    texts += ['{"v":[1.5]}', '{"v":[' + "1," * 20 + "1]}"]
    told = await run(module, "session", body, texts=[*texts, '{"v":[1],"frame":"x","name":7}'])
    assert told[:-1] == ["broken"] * len(texts)
    least = {"versions": [1], "name": "", "frame": 20, "busy": False, "lockedS": 0}
    assert told[-1] == least
