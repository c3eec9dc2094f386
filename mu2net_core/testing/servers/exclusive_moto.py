"""moto with requests one at a time: by itself it now and then tells two writers that both created the same object.

``python -m mu2net_core.testing.servers.exclusive_moto -H HOST -p PORT``
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any
from unittest import mock

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


def one_at_a_time(application: Application) -> Application:
    """Returns an application that decides on one request at a time, once all of it is here."""
    lock = Lock()

    def decide(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if length := int(environ.get("CONTENT_LENGTH") or 0):
            environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        with lock:
            return application(environ, start_response)

    return decide


def main() -> None:
    """Runs the server that the command line asks for."""
    from moto.server import main as serve
    from werkzeug.serving import run_simple

    def run_one_at_a_time(host: str, port: int, application: Application, **options: Any) -> None:
        run_simple(host, port, one_at_a_time(application), **options)

    with mock.patch("moto.server.run_simple", run_one_at_a_time):
        serve(sys.argv[1:])


if __name__ == "__main__":
    main()
