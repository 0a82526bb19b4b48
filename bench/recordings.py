"""How well recordings are understood that are not as the corpus was, with and without care.

    python -m bench.recordings [--artifacts artifacts] [--model artifacts/rdg] [--utterances 150]
                               [--say 'flite -voice {voice} -t {text} -o {file}' --voices rms slt]

Alters test utterances, or has another program speak their sentences into a WAV file, and asks, of
the embeddings: how near to those of the unaltered ones, and whether the nearest real picture of the
test species shows the right one. Of pictures drawn of them, four each: how many of the colours that
a sentence mentions the judge of MiniBirds sees.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bench.command import run
from s2igan.corpora.index import Corpus
from s2igan.engine.arrays import open_array
from s2igan.engine.pictures import Picture
from s2igan.errors import UserError
from s2igan.evaluation.figures import Resampling
from s2igan.evaluation.judge import Judge
from s2igan.evaluation.keywords import Reading
from s2igan.evaluation.material import Attributes
from s2igan.serving.hearing import Hearing
from s2igan.serving.model import SpeechToImage
from s2igan.serving.networks import load_networks
from s2igan.serving.recording import Recording
from s2igan.speech.audio import Samples, decode_audio, resample
from s2igan.speech.config import RecordingsConfig, command_line
from s2igan.speech.lines import Line
from s2igan.speech.programs import say_with
from s2igan.speech.shards import SpeechShards
from s2igan.vision.backbones import load_backbone

Floats = npt.NDArray[np.float32]
Alter = Callable[[Samples, int], Recording]

USUAL_WPM = 170
_DRAWS = 4
_VALUE_ALONE = Resampling(seed=0, permutations=1, draws=1)
# An export's float16 moves it by less than 1e-4.
_SAME_COSINE = 0.99
AS_IT_IS = RecordingsConfig(trim_db=None, keep_ms=0.0, level_dbfs=None)


def alterations(rng: np.random.Generator) -> dict[str, Alter]:
    """What is done to an utterance, by name."""

    def noise(count: int, dbfs: float) -> Samples:
        return (10 ** (dbfs / 20) * rng.standard_normal(count)).astype(np.float32)

    def surround(samples: Samples, rate_hz: int) -> Samples:
        return np.concatenate([noise(rate_hz, -80), samples, noise(rate_hz, -80)])

    quieter = np.float32(10 ** (-30 / 20))
    return {
        "as it was": Recording,
        "30 dB quieter": lambda x, rate: Recording(x * quieter, rate),
        "a second of faint noise at both ends": lambda x, rate: Recording(surround(x, rate), rate),
        "both": lambda x, rate: Recording(surround(x, rate) * quieter, rate),
        "through 48 kHz": lambda x, rate: Recording(resample(x, rate, 48000), 48000),
        "through 8 kHz": lambda x, rate: Recording(resample(x, rate, 8000), 8000),
        "noise at -40 dBFS": lambda x, rate: Recording(x + noise(len(x), -40), rate),
        "noise at -30 dBFS": lambda x, rate: Recording(x + noise(len(x), -30), rate),
    }


def spoken_by(say: str, voice: str, text: str) -> Recording:
    """Have a program speak a sentence at its own rate, see :func:`s2igan.speech.programs.say_with`.

    Raises:
        UserError: if it fails or writes no recording.
    """
    line = Line(f"--say/{voice}", USUAL_WPM, 50, text)
    return Recording(*decode_audio(say_with(say, line, USUAL_WPM, repr(text)), repr(text)))


class ColourJudge:
    """Reads drawn birds against what was said of them, as keyword accuracy of colours does.

    Args:
        corpus: MiniBirds.
        utterances: ``(N,)``, rows of the descriptions that the birds are drawn of.
    """

    def __init__(self, corpus: Corpus, utterances: npt.NDArray[np.int64]) -> None:
        attributes = Attributes.of(corpus)
        pictures = corpus.descriptions["image"].to_numpy()[utterances]
        self._truth, self._mentions = attributes.truth[pictures], attributes.mentions[utterances]
        self._judge = Judge(load_backbone("reader", Path()), torch.device("cpu"))

    def __call__(self, drawn: Picture) -> float:
        """Return the share of mentioned colours seen in ``(N, count, S, S, 3)`` uint8."""
        pictures = drawn.reshape(-1, *drawn.shape[2:])  # (N·count, S, S, 3)
        rows = np.arange(len(pictures))
        seen = self._judge.see(lambda some: pictures[some], rows, "drawn pictures").readings()
        of = rows // drawn.shape[1]
        reading = Reading(seen, self._truth[of], self._mentions[of], classes=of)
        value = reading.figure("colours", _VALUE_ALONE, [])["value"]
        assert isinstance(value, float)
        return value


def check_same_sen(own: Floats, heard: Floats) -> None:
    """Refuse a model that is strange to the pictures among which its speech would be looked up.

    Args:
        own: ``(N, E)`` of unit length, embeddings of utterances among the artifacts.
        heard: ``(N, E)`` of unit length, those of the same utterances by the model.

    Raises:
        UserError: if they differ by more than rounding.
    """
    cosine = float((own * heard).sum(axis=1).mean()) if own.shape == heard.shape else 0.0
    if cosine < _SAME_COSINE:
        raise UserError(
            "--model",
            got=f"another SEN than that of the artifacts (mean cosine {cosine:.2f})",
            expected="the model of these artifacts, or an export of it",
            fix="name the artifacts that the model comes from as --artifacts",
        )


def rows(
    artifacts: Path, folder: Path, utterances: int, say: str, voices: Sequence[str]
) -> Iterator[str]:
    """Yield a line per alteration and voice: R@1, cosine, both without care, and colours drawn."""
    model = SpeechToImage.load(folder, torch.device("cpu"))
    careless = Hearing(load_networks(folder).encoder_description["mel"], AS_IT_IS)
    corpus, shards = Corpus(artifacts / "corpus"), SpeechShards(artifacts / "speech")
    table = corpus.descriptions
    test = np.flatnonzero((table["split"] == "test") & (table["role"] == "caption"))
    rng = np.random.default_rng(0)
    chosen = np.sort(rng.choice(test, utterances, replace=False))
    spoken = [shards[int(row)] for row in chosen]
    pictures = np.unique(table["image"].to_numpy()[test])
    seen = np.asarray(open_array(artifacts / "embeddings" / "image.npy")[pictures, 0], np.float32)
    shown = corpus.images["class_id"].to_numpy()[pictures]
    said = table["class_id"].to_numpy()[chosen]
    unaltered = model.embed_frames([careless(Recording(*one)) for one in spoken])
    own = np.asarray(open_array(artifacts / "embeddings" / "speech.npy")[chosen], np.float32)
    check_same_sen(own, unaltered)
    judge = ColourJudge(corpus, chosen)
    altered = alterations(rng)
    texts = table["text"].to_numpy()[chosen]
    for name in (*altered, *voices):
        if name in altered:
            recordings = [altered[name](*one) for one in spoken]
        else:
            recordings = [spoken_by(say, name, text) for text in texts]
        cells = []
        prepared, unprepared = (
            model.embed_frames([hear(recording) for recording in recordings])
            for hear in (model.log_mel, careless)
        )
        for embedded in (prepared, unprepared):
            found = shown[(embedded @ seen.T).argmax(axis=1)]
            cosine = float((embedded * unaltered).sum(axis=1).mean())
            cells.append(f"{np.mean(found == said):7.3f}{cosine:8.3f}")
        colours = judge(model.draw(prepared, count=_DRAWS))
        yield f"{name:40}{'   '.join(cells)}{colours:11.3f}"


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--model", type=Path, default=Path("artifacts/rdg"))
    parser.add_argument("--utterances", type=int, default=150)
    parser.add_argument(
        "--say", default="", help="with {voice}, {text}, {file}; other braces twice"
    )
    parser.add_argument("--voices", nargs="*", default=[], help="of that program")
    return parser


def main() -> None:
    """Run the measurement and print a table."""
    parser = build_parser()
    args = parser.parse_args()
    if args.voices:
        try:
            command_line(args.say)
        except ValueError as error:
            parser.error(f"--say {args.say!r}: expected {error}")
    torch.set_num_threads(1)
    sys.stdout.write(f"{'':40}{'R@1':>7}{'cosine':>8}   {'without care':>15}{'colours':>11}\n")
    for row in rows(args.artifacts, args.model, args.utterances, args.say, args.voices):
        sys.stdout.write(row + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    run(main)
