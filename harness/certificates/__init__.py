"""Certificates for tests of TLS: an authority, a server and a client that it vouches for, and a stranger.

They protect nothing: the keys lie here for all to see, and the certificates are valid for a hundred years,
so that no test fails because of its date.
"""

from __future__ import annotations

from importlib import resources

#: The name in the server's certificate.
SERVER_NAME = "server.test"


def pem(name: str) -> str:
    """A certificate (``authority``, ``server``, ``client``, ``stranger``) or a key (``server-key`` ...)."""
    return (resources.files(__name__) / f"{name}.pem").read_text()
