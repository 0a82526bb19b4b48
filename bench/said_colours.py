"""How well people are understood who say a colour, alone or within a sentence.

    python -m bench.said_colours FOLDER [--model s2igan/serving/default] [--pictures 24]

FOLDER holds recordings whose names begin with the colour that is said, such as `red.ogg` and
`blue-3.wav`. A model of MiniBirds draws pictures of each, and the judge reads the colours of the
birds' five parts. *said*: the share of parts that have the colour said. *chance*: the share that
have it where another colour is said.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bench.command import run
from s2igan.corpora.attributes import COLOUR_PARTS, COLOURS
from s2igan.errors import UserError
from s2igan.evaluation.judge import Judge
from s2igan.serving.model import SpeechToImage
from s2igan.serving.recording import Recording
from s2igan.speech.audio import decode_audio
from s2igan.vision.backbones import load_backbone

Shares = npt.NDArray[np.float64]


def colour_said(name: str) -> int:
    """Return the row in ``COLOURS`` of the colour with which a file's name begins.

    Raises:
        UserError: if it begins with none.
    """
    for row, colour in enumerate(COLOURS):
        if name.startswith(colour):
            return row
    raise UserError(f"recording {name!r}", expected=f"a name that begins with {list(COLOURS)}")


def colours_seen(readings: npt.NDArray[np.int64]) -> Shares:
    """Return the share of parts that have each colour, of pictures of one recording.

    Args:
        readings: ``(N, 8)``, what the judge reads, the coloured parts first.

    Returns:
        ``(8,)``, in the order of ``COLOURS``.
    """
    parts = readings[:, : len(COLOUR_PARTS)]  # (N, 5)
    return np.array([(parts == colour).mean() for colour in range(len(COLOURS))])


def rows(said: npt.NDArray[np.int64], seen: Shares) -> Iterator[str]:
    """Yield a line per colour and one for all, each colour with equal weight.

    Args:
        said: ``(R,)``, the colour said in each recording.
        seen: ``(R, 8)``, from :func:`colours_seen`.
    """
    figures = []
    for colour in np.unique(said):
        right, other = seen[said == colour, colour], seen[said != colour, colour]
        figures.append((right.mean(), other.mean()))
        yield f"{COLOURS[colour]:8}{len(right):11}{right.mean():8.3f}{other.mean():8.3f}"
    mean = np.mean(figures, axis=0)
    yield f"{'all':8}{len(said):11}{mean[0]:8.3f}{mean[1]:8.3f}"


def hear(folder: Path, model: SpeechToImage, pictures: int) -> tuple[npt.NDArray[np.int64], Shares]:
    """Draw pictures of every recording in a folder and read their colours.

    Returns:
        The colours said ``(R,)`` and the shares seen ``(R, 8)``.

    Raises:
        UserError: if fewer than two colours are said, or a file is no recording of one.
    """
    paths = sorted(path for path in folder.glob("*") if path.is_file())
    said = np.array([colour_said(path.name) for path in paths], np.int64)
    if len(np.unique(said)) < 2:
        raise UserError(f"{str(folder)!r}", got=f"{len(paths)} files", expected="two colours said")
    judge = Judge(load_backbone("reader", Path()), torch.device("cpu"))
    spoken = [Recording(*decode_audio(path.read_bytes(), repr(path.name))) for path in paths]
    drawn = model.draw(model.embed_frames([model.log_mel(one) for one in spoken]), count=pictures)
    flat = drawn.reshape(-1, *drawn.shape[2:])  # (R·N, S, S, 3)
    look = judge.see(lambda some: flat[some], np.arange(len(flat)), "drawn pictures")
    return said, np.stack([*map(colours_seen, np.split(look.readings(), len(paths)))])


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=Path("s2igan/serving/default"))
    parser.add_argument("--pictures", type=int, default=24, help="drawn of every recording")
    return parser


def main() -> None:
    """Run the measurement and print a table."""
    args = build_parser().parse_args()
    torch.set_num_threads(1)
    model = SpeechToImage.load(args.model, torch.device("cpu"))
    table = [*rows(*hear(args.folder, model, args.pictures))]
    heading = f"{'':8}{'recordings':>11}{'said':>8}{'chance':>8}"
    sys.stdout.write("\n".join([heading, *table]) + "\n")


if __name__ == "__main__":
    run(main)
