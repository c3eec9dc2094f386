from __future__ import annotations

import socket
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from mu2net_core.testing.servers.servers import free_ports


def test_a_free_port_is_kept_for_the_server_that_will_listen_there() -> None:
    with free_ports(2) as ports:
        assert len(set(ports)) == 2
        for port in ports:
            with closing(socket.socket()) as other, pytest.raises(OSError, match="in use"):
                other.bind(("127.0.0.1", port))
            HTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler).server_close()
