"""On ``PYTHONPATH``, refuses and records every connection of Python's to another machine."""

import os
import socket
from typing import Any

_connect = socket.socket.connect
_getaddrinfo = socket.getaddrinfo
_HERE = ("localhost", "127.0.0.1", "::1")


def _refuse(connection: socket.socket, address: Any) -> None:
    # A path is between processes of this machine.
    if connection.family == socket.AF_UNIX or address[0] in _HERE:
        _connect(connection, address)
        return
    with open(os.environ["CONNECTIONS"], "a", encoding="utf-8") as record:
        record.write(f"{address}\n")
    raise OSError(f"no connection to {address}")


def _unknown(host: Any, *rest: Any, **options: Any) -> Any:
    if host in _HERE:
        return _getaddrinfo(host, *rest, **options)
    with open(os.environ["CONNECTIONS"], "a", encoding="utf-8") as record:
        record.write(f"{host}\n")
    raise OSError(f"no address of {host}")


socket.socket.connect = socket.socket.connect_ex = _refuse  # type: ignore[assignment,method-assign]
socket.getaddrinfo = _unknown
