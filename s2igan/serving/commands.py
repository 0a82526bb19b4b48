"""The commands ``speak``, ``info`` and ``export``: their arguments and what they say of themselves.

Light on purpose: asking for help loads no network.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from s2igan.serving.limits import (
    LARGEST_SEED,
    LEAST_TRUNCATION,
    LONGEST_S,
    MOST_PICTURES,
    SHORTEST_S,
)

_MODEL = """\
MODEL is one of
  a folder             what `s2igan export` wrote, or a pipeline's artifacts/rdg
  a DVC revision       a commit, branch, tag or experiment of the repository that you are in,
                       its model fetched from the DVC cache or remote: main, dvc:main, swift-lark
  an MLflow address    models:/s2igan@champion, looked up in $MLFLOW_TRACKING_URI or else in the
                       repository's mlflow.db
By default it is artifacts/rdg of the repository that you are in, else the model that ships with
the package, which draws the birds of MiniBirds.
"""

_SPEAK = """\
Draw what a recording describes.

Every clip is prepared as the model's training speech was: mixed to mono, resampled to the model's
rate, silence cut from its ends, its level set. Then it becomes an embedding, and noise makes as
many pictures of it as you like. No text is involved: --text is spoken first, --microphone records
you.
"""

_SPEAK_EXAMPLES = f"""\
examples:
  s2igan speak clip.wav -o bird.png
      one picture of what the clip says
  s2igan speak clip.wav -n 8 --seed 7 --truncation 0.8 -o birds.png
      eight pictures of it, in a row; seed 7 gives the same eight every time, and a truncation
      below 1 keeps to what is typical
  s2igan speak red.wav blue.flac grey.mp3 -n 4 -o grid.png
      a grid, one row per clip; pictures of a column have the same noise, so that only what was
      said differs
  s2igan speak --text "a small red bird with black wings" -o red.png
      spoken by espeak-ng, in the voice of the model's corpus
  s2igan speak --microphone 4 -o mine.png
      four seconds from the microphone

Recordings are WAV, FLAC, OGG or MP3 files of any rate, mono or stereo, and last {SHORTEST_S:g} to
{LONGEST_S:g} seconds.

{_MODEL}
A bad recording is reported in one line, with exit code 2, and nothing is drawn.
"""

_INFO = "Say what a model was trained on, how well it does, its sizes and its licence."

_EXPORT = """\
Write a trained model into one folder that needs nothing else from the repository: speech encoder,
generator, log-mel front end, a card with all figures and their protocols, and a README.
"""

_EXPORT_EXAMPLES = """\
examples:
  s2igan export -o minibirds
      the pipeline's artifacts/rdg, with the figures of metrics/
  s2igan speak clip.wav --model minibirds -o bird.png
      on any machine that the folder was copied to
  s2igan export -o swift --model dvc:swift-lark
      the model of an experiment, from DVC's cache or remote

Figures of an older training are left out: `dvc repro` brings them up to date.
"""

Subparsers = Callable[..., argparse.ArgumentParser]
N = TypeVar("N", int, float)


def add_commands(add: Subparsers) -> None:
    """Add the commands; ``add`` is ``add_parser`` of argparse's subparsers."""
    _speak(new_command(add, "speak", "draw what a recording describes", _SPEAK, _SPEAK_EXAMPLES))
    _info(new_command(add, "info", "what a model was trained on, and its figures", _INFO, _MODEL))
    _export(new_command(add, "export", "one folder of a trained model", _EXPORT, _EXPORT_EXAMPLES))


def new_command(
    add: Subparsers, name: str, short: str, description: str, epilog: str
) -> argparse.ArgumentParser:
    """Add one command, whose description and epilogue keep their lines."""
    return add(
        name,
        help=short,
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _speak(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clips", metavar="CLIP", type=path_given, nargs="*", help="a recording")
    parser.add_argument(
        "--text",
        metavar="TEXT",
        action="append",
        default=[],
        help="a sentence, which espeak-ng speaks first",
    )
    parser.add_argument(
        "--microphone",
        metavar="SECONDS",
        type=number_in(SHORTEST_S, LONGEST_S),
        nargs="?",
        const=5.0,
        help="record from the microphone; by default for 5 seconds",
    )
    parser.add_argument(
        "-o",
        "--out",
        metavar="PICTURE",
        type=path_given,
        default=Path("spoken.png"),
        help="the PNG file to write; by default spoken.png",
    )
    parser.add_argument(
        "-n",
        "--count",
        metavar="N",
        type=whole_in(1, MOST_PICTURES),
        default=1,
        help=f"pictures of each recording, 1 to {MOST_PICTURES}; by default 1",
    )
    parser.add_argument(
        "--seed",
        metavar="SEED",
        type=whole_in(0, LARGEST_SEED),
        default=0,
        help="seed of the noise; by default 0",
    )
    parser.add_argument(
        "--truncation",
        metavar="SD",
        type=number_in(LEAST_TRUNCATION, 100.0),
        help="redraw noise values beyond this many standard deviations: 0.8 keeps to what is "
        "typical; by default never",
    )
    add_model(parser)
    parser.add_argument("--timings", action="store_true", help="print how long each part took")
    parser.set_defaults(run=_run_speak)


def _info(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.set_defaults(run=_run_info)


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-o", "--out", metavar="FOLDER", type=path_given, required=True, help="the folder to write"
    )
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument(
        "--rdg",
        metavar="FOLDER",
        type=path_given,
        help="what the stage train_rdg wrote; by default artifacts/rdg of the repository that you "
        "are in",
    )
    chosen.add_argument("--model", metavar="MODEL", help="any other model, as for `speak`")
    parser.add_argument(
        "--precision",
        choices=("float16", "float32"),
        default="float16",
        help="precision of the stored weights; float16, the default, halves the folder",
    )
    parser.set_defaults(run=_run_export)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the option that names a model."""
    parser.add_argument("--model", metavar="MODEL", help="which model; see below")


def name_given(text: str) -> str:
    """Return an argument that is not empty, as that of an unset variable would be."""
    if not text:
        raise argparse.ArgumentTypeError("an empty name")
    return text


def path_given(text: str) -> Path:
    """Return an argument as a path; an empty one would be the folder that one stands in."""
    return Path(name_given(text))


def number_in(low: float, high: float) -> Callable[[str], float]:
    """Return a type of argument: a number from ``low`` to ``high``."""
    return _within("number", float, low, high)


def whole_in(low: int, high: int) -> Callable[[str], int]:
    """Return a type of argument: a whole number from ``low`` to ``high``."""
    return _within("whole number", int, low, high)


def _within(name: str, read: Callable[[str], N], low: N, high: N) -> Callable[[str], N]:
    def parse(text: str) -> N:
        value = read(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text} is not from {low} to {high}")
        return value

    parse.__name__ = name
    return parse


def _run_speak(arguments: argparse.Namespace) -> str:
    from s2igan.serving.speak import Order, speak

    return speak(
        Order(
            clips=tuple(arguments.clips),
            texts=tuple(arguments.text),
            microphone_s=arguments.microphone,
            out=arguments.out,
            count=arguments.count,
            seed=arguments.seed,
            truncation=arguments.truncation,
            model=arguments.model,
        ),
        timings=arguments.timings,
    )


def _run_info(arguments: argparse.Namespace) -> str:
    from s2igan.serving.card import card_told, read_card
    from s2igan.serving.locate import find_model
    from s2igan.serving.model_card import summary
    from s2igan.serving.networks import load_networks

    folder = find_model(arguments.model)
    size = sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
    card, networks = read_card(folder), load_networks(folder)
    with card_told(folder):
        return summary(card, networks, str(folder), size)


def _run_export(arguments: argparse.Namespace) -> str:
    from s2igan.serving.card import read_card
    from s2igan.serving.export import export_model
    from s2igan.serving.locate import find_model, trained_model

    if arguments.model is not None:
        folder = find_model(arguments.model)
    else:
        folder = arguments.rdg or trained_model()
    size = export_model(folder, read_card(folder), arguments.out, precision=arguments.precision)
    return f"{arguments.out}: {size / 1e6:.2f} MB; speak to it by --model {arguments.out}"
