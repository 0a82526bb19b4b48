"""On ``PYTHONPATH``, refuses and records every connection that a Python process would open."""

import os
import socket
from typing import Any

_connect = socket.socket.connect


def _refuse(connection: socket.socket, address: Any) -> None:
    if connection.family == socket.AF_UNIX:  # between processes of this machine
        _connect(connection, address)
        return
    with open(os.environ["CONNECTIONS"], "a", encoding="utf-8") as record:
        record.write(f"{address}\n")
    raise OSError(f"no connection to {address}")


def _unknown(host: Any, *_: Any, **__: Any) -> None:
    with open(os.environ["CONNECTIONS"], "a", encoding="utf-8") as record:
        record.write(f"{host}\n")
    raise OSError(f"no address of {host}")


socket.socket.connect = socket.socket.connect_ex = _refuse  # type: ignore[assignment,method-assign]
socket.getaddrinfo = _unknown  # type: ignore[assignment]
