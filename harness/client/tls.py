"""What a client of a server with TLS goes by."""

from __future__ import annotations

import ssl
import tempfile
from typing import NamedTuple

import grpc


class Tls(NamedTuple):
    """All PEM texts but ``name``.

    The authority that must have signed the server's certificate (None: those that the machine trusts), the
    name that must be in it (None: the host's), and, for a server that asks, a key and certificate of its own.
    """

    authority: str | None = None
    name: str | None = None
    key: str | None = None
    certificate: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """The same for grpcio."""
        return grpc.ssl_channel_credentials(
            *(
                None if text is None else text.encode()
                for text in (self.authority, self.key, self.certificate)
            )
        )

    def context(self) -> ssl.SSLContext:
        """The same for sockets; the name is for whoever wraps one."""
        context = ssl.create_default_context(cadata=self.authority)
        if self.key is not None and self.certificate is not None:
            with tempfile.NamedTemporaryFile("w", suffix=".pem") as both:  # it reads from files only
                both.write(f"{self.certificate}\n{self.key}")
                both.flush()
                context.load_cert_chain(both.name)
        return context
