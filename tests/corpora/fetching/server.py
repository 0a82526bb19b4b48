"""A web server on this machine that misbehaves as told."""

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PATIENCE_S = 50
"""How long anybody waits for what a test is about; a client waits 60 s for the next byte."""


@dataclass
class Served:
    """A file and what goes wrong with it; lists are used up from the front, an item per answer.

    Attributes:
        content: the file.
        headers: sent besides the length; ``ETag`` decides about ``If-Range``.
        ranges: whether the server continues a file.
        heeds_if_range: whether it looks at ``If-Range`` at all.
        tells_length: whether it announces how much it sends.
        lie: added to every length that it announces.
        drops: bytes after which it closes the connection; None: it does not.
        statuses: answered in place of the file; None: it sends the file.
        bare: status and headers of every answer, which has no body.
        wrong_answers: how many answers carry other bytes.
        pause: after how many bytes of a body to wait for what.
        asked: the ``Range`` of every question.
        sent: bytes of bodies, together.
    """

    content: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    ranges: bool = True
    heeds_if_range: bool = True
    tells_length: bool = True
    lie: int = 0
    drops: list[int | None] = field(default_factory=list)
    statuses: list[int | None] = field(default_factory=list)
    bare: tuple[int, dict[str, str]] | None = None
    wrong_answers: int = 0
    pause: tuple[int, threading.Event] | None = None
    asked: list[str | None] = field(default_factory=list)
    sent: int = 0


class FileServer:
    """Serves files while the ``with`` block runs."""

    def __init__(self) -> None:
        self._files: dict[str, list[Served]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def serve(self, *versions: Served, name: str = "birds.tgz") -> str:
        """Serve each version for one answer, the last one ever after; return the address."""
        self._files[name] = [*versions]
        return f"{self.root}/{name}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        files = self._files

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                versions = files.get(self.path.lstrip("/").partition("?")[0])
                if versions is None:
                    self.send_error(404)
                else:
                    answer(self, versions.pop(0) if len(versions) > 1 else versions[0])

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


def answer(handler: BaseHTTPRequestHandler, served: Served) -> None:
    """Send one answer."""
    asked = handler.headers.get("Range")
    served.asked.append(asked)
    if served.statuses and (status := served.statuses.pop(0)):
        handler.send_error(status)
        return
    if served.bare:
        _send_bare(handler, *served.bare)
        return
    start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
    valid = handler.headers.get("If-Range") in (None, *served.headers.values())
    if not served.ranges or not (valid or not served.heeds_if_range):
        start = 0
    if start and start >= len(served.content) + served.lie:
        _send_bare(handler, 416, {"Content-Range": f"bytes */{len(served.content)}"})
        return
    _send_head(handler, served, start)
    _send_body(handler, served, start)


def _send_bare(handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    handler.send_response(status)
    for name, value in {**headers, "Content-Length": "0"}.items():
        handler.send_header(name, value)
    handler.end_headers()


def _send_head(handler: BaseHTTPRequestHandler, served: Served, start: int) -> None:
    total = len(served.content) + served.lie
    handler.send_response(206 if start else 200)
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
    if served.tells_length:
        handler.send_header("Content-Length", str(total - start))
    for name, value in served.headers.items():
        handler.send_header(name, value)
    handler.end_headers()


def _send_body(handler: BaseHTTPRequestHandler, served: Served, start: int) -> None:
    body = served.content[start : len(served.content) + min(served.lie, 0)]
    if served.wrong_answers:
        served.wrong_answers -= 1
        body = bytes(255 - byte for byte in body)
    end = served.drops.pop(0) if served.drops else None
    body = body if end is None else body[:end]
    pause_at, go_on = served.pause or (len(body), None)
    served.sent += len(body)  # before whoever asked can look at it
    with suppress(ConnectionError):
        handler.wfile.write(body[:pause_at])
        if go_on is not None:
            go_on.wait(PATIENCE_S)
        handler.wfile.write(body[pause_at:])
