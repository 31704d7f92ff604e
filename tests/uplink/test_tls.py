from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sensed.uplink import Cause
from tests.mosquitto import Mosquitto
from tests.uplink.tools import WITH_CURRENTS, listening, settings, up


class Authority:
    """A certificate authority of the test's own."""

    def __init__(self, directory: Path, name: str) -> None:
        self._directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        certificate = self._sign(self._name, self._key, now, x509.BasicConstraints(True, None))
        self.path = self._write(f"{name}.pem", certificate)

    def issue(self, address: str, *, valid_from: datetime | None = None) -> tuple[Path, Path]:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(
            x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, address)]),
            key,
            valid_from or datetime.now(UTC),
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]),
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return self._write("server.pem", certificate), self._write("server.key", private)

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        valid_from: datetime,
        extension: x509.ExtensionType,
    ) -> bytes:
        builder = x509.CertificateBuilder(
            issuer_name=self._name,
            subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=valid_from - timedelta(hours=1),
            not_valid_after=valid_from + timedelta(days=1),
        )
        certificate = builder.add_extension(
            extension, critical=isinstance(extension, x509.BasicConstraints)
        ).sign(self._key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM)

    def _write(self, name: str, content: bytes) -> Path:
        path = self._directory / name
        path.write_bytes(content)
        return path


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"), "test-authority")


def encrypted_broker(directory: Path, files: tuple[Path, Path]) -> Mosquitto:
    certificate, key = files
    return Mosquitto(directory, config=f"certfile {certificate}\nkeyfile {key}")


@pytest.fixture
def broker(tmp_path: Path, authority: Authority) -> Iterator[Mosquitto]:
    with encrypted_broker(tmp_path, authority.issue("127.0.0.1")) as running:
        yield running


async def test_readings_go_over_an_encrypted_connection(
    tmp_path: Path, authority: Authority
) -> None:
    encrypted = encrypted_broker(tmp_path, authority.issue("127.0.0.1"))
    with Mosquitto(tmp_path, config=encrypted_listener_of(encrypted)) as broker:
        secure = settings(encrypted.port, tls=True, ca_file=str(authority.path))
        async with listening(broker.port) as listener, up(secure) as running:
            await running.linked()
            for _ in range(50):
                running.send(WITH_CURRENTS)
            await listener.wait_for("phases", 2)
        await listener.wait_for("headroom", 2)


def encrypted_listener_of(broker: Mosquitto) -> str:
    lines = broker._config.read_text().splitlines()
    return "\n".join(line for line in lines if line.startswith(("listener", "cert", "key")))


async def test_a_broker_signed_by_somebody_else_is_refused(broker: Mosquitto) -> None:
    async with up(settings(broker.port, tls=True)) as running:
        fact = await running.failed()
        assert fact.cause is Cause.TLS
        assert "unable to get local issuer certificate" in fact.detail


async def test_a_broker_of_another_name_is_refused(tmp_path: Path, authority: Authority) -> None:
    with encrypted_broker(tmp_path, authority.issue("127.0.0.2")) as broker:
        secure = settings(broker.port, tls=True, ca_file=str(authority.path))
        async with up(secure) as running:
            fact = await running.failed()
            assert fact.cause is Cause.TLS
            assert "127.0.0.1" in fact.detail


async def test_a_certificate_not_valid_yet_points_at_the_clock(
    tmp_path: Path, authority: Authority
) -> None:
    later = datetime.now(UTC) + timedelta(days=30)
    with encrypted_broker(tmp_path, authority.issue("127.0.0.1", valid_from=later)) as broker:
        secure = settings(broker.port, tls=True, ca_file=str(authority.path))
        async with up(secure) as running:
            fact = await running.failed()
            assert fact.cause is Cause.CLOCK
            assert "clock" in fact.detail


async def test_tls_to_a_plain_port_and_plain_to_a_tls_port_are_told_apart(
    broker: Mosquitto, tmp_path: Path
) -> None:
    with Mosquitto(tmp_path) as plain:
        async with up(settings(plain.port, tls=True)) as running:
            assert (await running.failed()).cause is Cause.TLS
    async with up(settings(broker.port)) as running:
        assert (await running.failed()).cause is Cause.PROTOCOL


async def test_a_missing_or_broken_ca_file_is_named(broker: Mosquitto, tmp_path: Path) -> None:
    secure = settings(broker.port, tls=True, ca_file=str(tmp_path / "none.pem"))
    async with up(secure) as running:
        assert "none.pem: No such file" in (await running.failed()).detail
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    async with up(replace(secure, ca_file=str(broken))) as running:
        assert "broken.pem" in (await running.failed()).detail


@pytest.mark.parametrize("lowest", ["1.2", "1.3"])
async def test_a_client_certificate_opens_the_door_and_its_lack_is_told(
    tmp_path: Path, authority: Authority, lowest: str
) -> None:
    certificate, key = authority.issue("127.0.0.1")
    config = (
        f"certfile {certificate}\nkeyfile {key}\ncafile {authority.path}\n"
        f"require_certificate true\ntls_version tlsv{lowest}"
    )
    with Mosquitto(tmp_path, config=config) as broker:
        without = settings(broker.port, tls=True, ca_file=str(authority.path), tls_lowest=lowest)
        async with up(without) as running:
            fact = await running.failed()
            assert fact.cause is Cause.TLS
            assert "certificate" in fact.detail
        shown = replace(without, client_cert_file=str(certificate), client_key_file=str(key))
        async with up(shown) as running:
            await running.linked()


async def test_an_authority_that_is_renewed_is_read_anew(
    broker: Mosquitto, authority: Authority, tmp_path: Path
) -> None:
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(Authority(tmp_path, "old").path.read_bytes())
    async with up(settings(broker.port, tls=True, ca_file=str(trusted))) as running:
        assert (await running.failed()).cause is Cause.TLS
        trusted.write_bytes(authority.path.read_bytes())
        await running.linked()


async def test_a_client_certificate_that_is_renewed_is_read_anew(
    tmp_path: Path, authority: Authority
) -> None:
    certificate, key = authority.issue("127.0.0.1")
    config = (
        f"certfile {certificate}\nkeyfile {key}\ncafile {authority.path}\nrequire_certificate true"
    )
    shown = tmp_path / "shown.pem"
    strange, strange_key = Authority(tmp_path, "strange").issue("127.0.0.1")
    shown.write_bytes(strange.read_bytes() + strange_key.read_bytes())
    with Mosquitto(tmp_path, config=config) as broker:
        secure = settings(
            broker.port,
            tls=True,
            ca_file=str(authority.path),
            client_cert_file=str(shown),
            client_key_file=str(shown),
        )
        async with up(secure) as running:
            assert (await running.failed()).cause is Cause.TLS
            shown.write_bytes(certificate.read_bytes() + key.read_bytes())
            await running.linked()


async def test_a_broker_below_the_lowest_version_is_refused(authority: Authority) -> None:
    certificate, key = authority.issue("127.0.0.1")
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    old.load_cert_chain(certificate, key)

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=old)
    async with server:
        port = server.sockets[0].getsockname()[1]
        strict = settings(port, tls=True, ca_file=str(authority.path), tls_lowest="1.3")
        async with up(strict) as running:
            assert (await running.failed()).cause is Cause.TLS
        async with up(replace(strict, tls_lowest="1.2")) as running:
            assert "closed without an answer" in (await running.failed()).detail


async def test_a_key_that_is_missing_or_locked_is_named(
    broker: Mosquitto, authority: Authority, tmp_path: Path
) -> None:
    certificate, _ = authority.issue("127.0.0.1")
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    secure = settings(
        broker.port, tls=True, ca_file=str(authority.path), client_cert_file=str(certificate)
    )
    for key in (tmp_path / "none.key", locked):
        async with up(replace(secure, client_key_file=str(key))) as running:
            fact = await running.failed()
            assert fact.cause is Cause.TLS
            assert str(certificate) in fact.detail
