"""The command ``s2igan serve``: the page over a trained model, for this machine or its network."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from s2igan.engine.answer import answer
from s2igan.engine.interrupts import handling_ends
from s2igan.errors import UserError
from s2igan.serving.certificate import (
    Certificate,
    local_address,
    own_certificate,
    page_folder,
)
from s2igan.serving.limits import SECONDS_KEPT
from s2igan.serving.page_traces import delete_older, remember_no_values, visitors_folder

if TYPE_CHECKING:
    import gradio as gr
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PORTS = range(7860, 7960)
"""Where a free port is looked for."""

LARGEST_FILE = "20mb"
"""As Gradio reads it; 20 MB of plain 16-bit sound last minutes at any usual rate."""

_WAITING = 20
_VISITORS = 1000  # whose last utterance is kept, 2 MB each at most
_GRACE_S = 2  # for open connections as the page closes; gradio waits no longer than 5
LOOPBACK = "127.0.0.1"
_EVERYWHERE = "0.0.0.0"

# What the page may load: itself and what it carries. A library that wanted a font or a script from
# elsewhere would not get it.
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; frame-ancestors 'self'"
)


class Where(NamedTuple):
    """Where the page listens.

    Args:
        host: address to listen on.
        port: port to listen on; ``None`` takes the first free one from 7860 on.
        lan: listen to the whole network, over HTTPS with a certificate of one's own.
    """

    host: str = LOOPBACK
    port: int | None = None
    lan: bool = False


def serve(folder: Path, where: Where) -> str:
    """Serve the page until the process is told to end, and delete what its visitors said.

    Args:
        folder: an exported model or ``artifacts/rdg``.
        where: where to listen.

    Raises:
        UserError: if the model or Gradio is missing, the port is taken, or nobody can be told
            where the page is.
        SystemExit: see :func:`s2igan.engine.answer.answer`.
    """
    # Gradio reads these when it is imported; nobody is told what this page does on their machine.
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    if find_spec("gradio") is None:
        raise UserError("the page", got="no package gradio", fix="install the extra `demo`")
    from s2igan.serving.model import SpeechToImage

    model = SpeechToImage.load(folder)
    with _ends_noted() as ends, visitors_folder() as sent:
        from s2igan.serving.page_model import make_page

        page = make_page(model, folder, str(model.device))
        try:
            answer(launch(page, where))
            _tidy(sent, ends)
        finally:
            # What is open still is cut off, which uvicorn tells at length.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
            page.close(verbose=False)
    return "the page is closed"


def _tidy(sent: Path, ends: "SimpleQueue[int]") -> None:
    """Delete what visitors sent an hour ago, until the process is told to end."""
    while True:
        try:
            ends.get(timeout=SECONDS_KEPT / 6)
        except Empty:
            delete_older(sent, SECONDS_KEPT)
        else:
            return


@contextmanager
def _ends_noted() -> Iterator["SimpleQueue[int]"]:
    """Note Ctrl-C, a service manager's SIGTERM and a closed terminal's SIGHUP in a queue.

    Raised instead, the first could come inside of a ``__del__``, where Python drops what is raised,
    and a second one, as some come in pairs, would cut short the deletion that the first began.
    """
    ends: SimpleQueue[int] = SimpleQueue()  # the one that a signal may fill while it is read
    with handling_ends(lambda number, _frame: ends.put(number)):
        yield ends


def launch(page: "gr.Blocks", where: Where) -> str:
    """Start to serve the page in a thread, and return what to tell the one who started it.

    Raises:
        UserError: if the port is taken or the host is not one of this machine's.
    """
    from starlette.middleware import Middleware
    from starlette.requests import ClientDisconnect
    from starlette.responses import Response

    host = _EVERYWHERE if where.lan else where.host
    port = choose_port(host, where.port)
    names = [local_address(), LOOPBACK, "localhost", socket.gethostname()]
    certificate = own_certificate(page_folder(), names) if where.lan else None
    # Gradio asks the page whether it is up, which no proxy reaches; nothing else is asked for.
    os.environ["no_proxy"] = os.environ["NO_PROXY"] = "*"
    remember_no_values()
    page.queue(max_size=_WAITING, default_concurrency_limit=1)
    page.launch(
        server_name=host,
        server_port=port,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        run_history=False,
        footer_links=[],
        max_file_size=LARGEST_FILE,
        state_session_capacity=_VISITORS,
        ssl_certfile=str(certificate.certificate) if certificate else None,
        ssl_keyfile=str(certificate.key) if certificate else None,
        ssl_verify=False,
        css_paths=Path(__file__).with_name("page.css"),
        favicon_path=Path(__file__).with_name("page.svg"),
        theme=_theme(),
        app_kwargs={
            "middleware": [Middleware(_Policy)],
            # A visitor who hangs up waits for no answer; uvicorn would tell it at length.
            "exception_handlers": {ClientDisconnect: lambda *_: Response(status_code=499)},
        },
    )
    page.server.config.timeout_graceful_shutdown = _GRACE_S
    return _told(port, certificate, host)


def choose_port(host: str, port: int | None) -> int:
    """Return the wanted port, or the first of :data:`PORTS`, that can be listened on.

    Raises:
        UserError: if it is taken, none is free, or the host is not one of this machine's.
    """
    problem: Exception | None = None
    for candidate in PORTS if port is None else [port]:
        try:
            host.encode("idna")  # or a socket that never hears of it would be left open
            with socket.create_server((host, candidate)):
                return candidate
        except (OSError, UnicodeError) as error:
            problem = error
    wanted = f"{PORTS[0]} to {PORTS[-1]}" if port is None else port
    raise UserError(
        f"address {host}:{wanted}",
        got=getattr(problem, "strerror", problem),
        expected="an address of this machine and a free port",
        fix="choose others with --host and --port",
    ) from problem


def _theme() -> "gr.themes.Base":
    from gradio import themes

    # Named fonts of this machine, in sizes that follow the one that a visitor chose for all pages;
    # the accent is dark enough for white words upon it.
    theme = themes.Base(
        primary_hue="teal",
        neutral_hue="stone",
        radius_size="md",
        text_size=themes.Size(*(f"{size / 16}rem" for size in (9, 10, 12, 14, 16, 22, 26))),
        font=("system-ui", "sans-serif"),
        font_mono=("ui-monospace", "monospace"),
    )
    return theme.set(
        color_accent="*primary_700",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        slider_color="*primary_700",
        slider_color_dark="*primary_500",
        checkbox_background_color_selected="*primary_700",
        checkbox_background_color_selected_dark="*primary_600",
        checkbox_border_color_selected="*primary_700",
        block_title_text_weight="500",
    )


def _told(port: int, certificate: Certificate | None, host: str) -> str:
    if certificate is None:
        return f"the page is at http://{LOOPBACK if host == _EVERYWHERE else host}:{port}"
    return (
        f"the page is at https://{local_address()}:{port}, for every machine of this network\n"
        "Browsers warn of its certificate, which this machine made itself; its SHA-256 is\n"
        f"{certificate.fingerprint}"
    )


class _Policy:
    """Adds :data:`_POLICY` to every answer."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        async def with_policy(message: "Message") -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"content-security-policy", _POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await self._app(scope, receive, with_policy)
