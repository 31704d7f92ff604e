"""The TLS context of a broker's settings."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Final

from sensed.uplink.link import Cause, Endpoint, LinkError
from sensed.uplink.settings import BrokerSettings

_VERSIONS: Final = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def tls_context(settings: BrokerSettings) -> ssl.SSLContext:
    """Return the context, reading every file anew. Raises LinkError; blocks."""
    endpoint = Endpoint(settings.host, settings.port)

    def load(file: str | None, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            detail = f"{file}: {error.strerror or error}"
            raise LinkError(Cause.TLS, endpoint, detail) from error

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = _VERSIONS[settings.tls_lowest]
    ca_file, certificate, key = (
        settings.ca_file,
        settings.client_cert_file,
        settings.client_key_file,
    )
    if ca_file is not None:
        load(ca_file, lambda: context.load_verify_locations(ca_file))
    elif settings.ca_pem is not None:
        load("ca_pem", lambda: context.load_verify_locations(cadata=settings.ca_pem))
    else:
        context.load_default_certs()
    if certificate is not None:
        # An encrypted key would otherwise ask on the terminal.
        load(certificate, lambda: context.load_cert_chain(certificate, key, password=lambda: ""))
    # Python 3.13 would turn this on in create_default_context; it refuses the
    # certificates that most homes make themselves.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
