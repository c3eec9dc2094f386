"""Signatures by ssh-agent, which holds private keys so that nobody else has to: one request over its socket."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from mu2net_core.api.signing.keys import key_blob
from mu2net_core.errors import InvalidInputError

__all__ = ["agent_signature"]

_SIGN_REQUEST, _SIGN_RESPONSE = 13, 14
_TIMEOUT_S = 60.0  # a key may wait for somebody to confirm
_LARGEST = 1 << 16


def agent_signature(key: str, message: bytes, environ: Mapping[str, str]) -> bytes:
    """Returns the Ed25519 signature of ``message`` by the key ``key`` (public, in hex), 64 bytes.

    Raises:
        InvalidInputError: there is no agent, or it does not hold the key, or somebody refused.
    """
    address = environ.get("SSH_AUTH_SOCK")
    if not address:
        raise _refused("no ssh-agent runs here (SSH_AUTH_SOCK is not set)")
    body = _string(key_blob(key)) + _string(message) + bytes(4)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT_S)
            connection.connect(address)
            connection.sendall(_string(bytes([_SIGN_REQUEST]) + body))
            size = int.from_bytes(_exactly(connection, 4), "big")
            answer = _exactly(connection, min(size, _LARGEST))
    except (OSError, EOFError) as exc:
        raise _refused(f"ssh-agent does not answer ({exc})") from exc
    signature = answer[-64:]
    if answer != bytes([_SIGN_RESPONSE]) + _string(_string(b"ssh-ed25519") + _string(signature)):
        raise _refused("ssh-agent does not hold the key, or refused")
    return signature


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise EOFError("it closed the connection")
        data += part
    return data


def _refused(why: str) -> InvalidInputError:
    return InvalidInputError(
        f"Cannot sign: {why}.",
        hint="Start it and add the key: ssh-add FILE. To sign nothing: mu2net config set sign.key ''",
    )
