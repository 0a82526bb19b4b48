"""On ``PYTHONPATH``, refuses and records what a Python process would ask of another machine."""

import os
import socket
from typing import Any

_connect = socket.socket.connect
_look_up = socket.getaddrinfo
_OWN = ("127.0.0.1", "localhost", "0.0.0.0", "::1", None, "")


def _connect_here(connection: socket.socket, address: Any) -> None:
    # A datagram socket asks the routing table when it connects, and sends nothing.
    own = connection.family == socket.AF_UNIX or address[0] in _OWN
    if not own and connection.type != socket.SOCK_DGRAM:
        _record(address)
    _connect(connection, address)


def _look_up_here(host: Any, *rest: Any, **more: Any) -> Any:
    if host not in _OWN:
        _record(host)
    return _look_up(host, *rest, **more)


def _record(where: Any) -> None:
    with open(os.environ["CONNECTIONS"], "a", encoding="utf-8") as record:
        record.write(f"{where}\n")
    raise OSError(f"no connection to {where}")


socket.socket.connect = _connect_here  # type: ignore[method-assign,assignment]
socket.getaddrinfo = _look_up_here
