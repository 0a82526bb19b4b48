"""The command ``s2igan speak``: recordings in, one PNG file out."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s2igan.errors import UserError

if TYPE_CHECKING:
    from s2igan.engine.pictures import Picture
    from s2igan.serving.recording import Recording


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes:
        clips: recordings to read.
        texts: texts to speak.
        microphone_s: how long to listen, seconds; None does not.
        out: the PNG file.
        count: pictures of each.
        seed: of the noise.
        truncation: see :meth:`s2igan.serving.model.SpeechToImage.draw`.
        model: see :func:`s2igan.serving.locate.find_model`.
    """

    clips: tuple[Path, ...]
    texts: tuple[str, ...]
    microphone_s: float | None
    out: Path
    count: int
    seed: int
    truncation: float | None
    model: str | None


class Stopwatch:
    """Adds up what each part of a work takes, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Count the block as ``part``."""
        began = time.perf_counter()
        yield
        self.seconds[part] = self.seconds.get(part, 0.0) + time.perf_counter() - began

    def table(self) -> str:
        """Return a line per part with its seconds and share, and their sum."""
        total = sum(self.seconds.values())
        rows = [*self.seconds.items(), ("all", total)]
        return "\n".join(f"  {name:10}{took:8.3f} s{took / total:7.0%}" for name, took in rows)


def speak(order: Order, *, timings: bool = False) -> str:
    """Draw what recordings describe, and write one picture: a row per recording.

    Returns:
        What was written, and with ``timings`` what took how long.

    Raises:
        UserError: if a recording is bad, the model is missing, or the file cannot be written.
    """
    _check(order)
    watch = Stopwatch()
    with watch("imports"):
        from s2igan.serving.recording import read_recording
    with watch("recordings"):  # a bad one is told before anything heavy is loaded
        recordings = [read_recording(path) for path in order.clips]
    with watch("imports"):
        from s2igan.engine.pictures import save_png, tile
        from s2igan.serving.locate import find_model
        from s2igan.serving.model import SpeechToImage
    with watch("load"):
        model = SpeechToImage.load(find_model(order.model))
    with watch("recordings"):
        recordings += _made_now(order, model.card, model.sample_rate_hz)
    with watch("front end"):
        heard = [model.log_mel(recording) for recording in recordings]
    with watch("embed"):
        embeddings = model.embed_frames(heard)
    with watch("draw"):
        pictures = model.draw(
            embeddings, count=order.count, seed=order.seed, truncation=order.truncation
        )
    with watch("write"):
        sheet = tile(pictures.reshape(-1, *pictures.shape[2:]), columns=order.count)
        try:
            save_png(order.out, sheet)
        except OSError as error:
            raise UserError(
                f"picture {str(order.out)!r}", got=error.strerror, expected="a file to write"
            ) from error
    said = _told(order.out, pictures, sheet)
    return f"{said}\n{watch.table()}" if timings else said


def _check(order: Order) -> None:
    if not order.clips and not order.texts and order.microphone_s is None:
        raise UserError(
            "recordings", got="none", expected="a CLIP, --text or --microphone", fix="name one"
        )
    if order.out.suffix.lower() != ".png":
        raise UserError(f"picture {str(order.out)!r}", expected="a name that ends in .png")


def _made_now(order: Order, card: Mapping[str, Any], rate_hz: int) -> "Iterator[Recording]":
    from s2igan.serving.voices import listen, speak_text

    yield from (speak_text(text, card) for text in order.texts)
    if order.microphone_s is not None:
        yield listen(order.microphone_s, rate_hz)


def _told(out: Path, pictures: "Picture", sheet: "Picture") -> str:
    rows, columns, side = pictures.shape[:3]
    height, width = sheet.shape[:2]
    if rows == columns == 1:
        return f"{out}: a picture of {side} × {side} pixels"
    of = f"{rows} recordings, {columns} each" if rows > 1 else "one recording"
    return f"{out}: {rows * columns} pictures of {of}; {width} × {height} pixels"
