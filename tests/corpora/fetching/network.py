"""A machine without a network."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def no_network() -> Iterator[list[object]]:
    """Let no name be found meanwhile; yield what is looked up."""
    looked_up: list[object] = []

    def unknown(*place: object, **_: object) -> None:
        looked_up.append(place)
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(socket, "getaddrinfo", unknown)
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            patched.delenv(name, raising=False)
        yield looked_up
