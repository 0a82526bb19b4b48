"""The command ``serve``: its arguments and what it says of itself; light, as asking for help is."""

import argparse

from s2igan.serving.commands import Subparsers, add_model, name_given, new_command, whole_in

_SERVE = """\
Open a page to speak to a model: record, upload or type, hear and see what the model hears, look at
what it draws, change a colour and watch the pictures follow.

Nothing that the page does leaves the machine that serves it.
"""

_EPILOG = """\
examples:
  s2igan serve
      for this machine alone, at http://127.0.0.1:7860 or the next free port
  s2igan serve --lan
      for phones and others on the same network, over HTTPS, since browsers otherwise allow no
      microphone; the certificate is made here and kept while the machine keeps its address and its
      name, so that a browser has to be told only once to trust it
  s2igan serve --model minibirds --port 8000
      a folder that `s2igan export` wrote

MODEL is as for `s2igan speak`.
"""


def add_serve(add: Subparsers) -> None:
    """Add the command; ``add`` is ``add_parser`` of argparse's subparsers."""
    parser = new_command(add, "serve", "open a page to speak to a model", _SERVE, _EPILOG)
    add_model(parser)
    parser.add_argument(
        "--port",
        type=whole_in(1, 65535),
        metavar="PORT",
        help="port to listen on; by default the first free one from 7860 on",
    )
    reach = parser.add_mutually_exclusive_group()
    reach.add_argument(
        "--host",
        type=name_given,
        metavar="ADDRESS",
        help="address to listen on, over plain HTTP; by default 127.0.0.1, this machine alone",
    )
    reach.add_argument(
        "--lan", action="store_true", help="serve the whole local network, over HTTPS"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> str:
    from s2igan.serving.locate import find_model
    from s2igan.serving.page_server import LOOPBACK, Where, serve

    where = Where(arguments.host or LOOPBACK, arguments.port, arguments.lan)
    return serve(find_model(arguments.model), where)
