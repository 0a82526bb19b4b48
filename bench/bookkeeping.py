"""CPU time and memory of what stages do around their networks, at sizes that no disk has to hold.

    python -m bench.bookkeeping [--pictures 10000 100000 1000000]

Each size has ten captions a picture, a tenth of the pictures in the test split, tables as
`download` writes them, and features and embeddings of the paper's shapes in files with holes. Each
size is measured in a process of its own; batches are made a second time, so that no disk counts.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench.command import run
from s2igan.config import read_params
from s2igan.corpora.index import Corpus, write_corpus
from s2igan.engine.arrays import ArrayWriter, Ragged, open_array, write_array
from s2igan.metrics.retrieval import (
    chance_by_permutation,
    measure_rankings,
    ranked_average_precisions,
    search,
)
from s2igan.rdg.batches import BatchStream, TrainingPictures
from s2igan.rdg.plan import plan
from s2igan.rdg.speech_source import EmbeddedSpeech
from s2igan.sen.batches import PairStream
from s2igan.speech.descriptions import Descriptions
from s2igan.vision.pixels import PackedPixels

CAPTIONS, PER_CLASS, FRAMES, SIDE, VIEWS = 10, 100, 300, 304, 8
QUERIES, PERMUTATIONS = 256, 10


def build_parser() -> argparse.ArgumentParser:
    """Return the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.bookkeeping")
    parser.add_argument("--pictures", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    return parser


def main() -> int:
    """Print a table of all sizes."""
    context = multiprocessing.get_context("spawn")
    for pictures in build_parser().parse_args().pictures:
        with tempfile.TemporaryDirectory() as folder:
            for work in (write, measure):
                process = context.Process(target=work, args=(Path(folder), pictures))
                process.start()
                process.join()
                if process.exitcode:
                    return 1
    return 0


def write(folder: Path, pictures: int) -> None:
    """Write tables, and features and embeddings that take no room."""
    numbers, utterances = np.arange(pictures), pictures * CAPTIONS
    classes = numbers // PER_CLASS
    images = {
        "name": [f"{number:07d}.jpg" for number in numbers],
        "class_id": classes,
        "class_name": [f"class {number}" for number in classes],
        "split": np.where(classes % 10 == 9, "test", "train"),
    }
    text = "a small bird with a yellow belly and dark brown wings, of the number"
    descriptions = {
        "image": np.repeat(numbers, CAPTIONS),
        "position": np.tile(np.arange(CAPTIONS), pictures),
        "text": [f"{text} {number}" for number in range(utterances)],
        "role": ["caption"] * utterances,
    }
    write_corpus(
        folder / "corpus",
        pd.DataFrame(images),
        (b"x" for _ in numbers),
        pd.DataFrame(descriptions),
        info={"kind": "recorded", "edition": "synthetic"},
    )
    for name, lengths in (("mel", FRAMES), ("pixels", 3 * SIDE**2)):
        count = utterances if name == "mel" else pictures
        write_array(folder / f"{name}.offsets.npy", np.arange(count + 1) * lengths)
    write_array(folder / "shapes.npy", np.full((pictures, 2), SIDE, np.int32))
    _holes(folder / "mel.npy", np.float16, utterances * FRAMES, 40)
    _holes(folder / "pixels.npy", np.uint8, pictures * 3 * SIDE**2)
    _holes(folder / "backbone.npy", np.float32, pictures, VIEWS, 2048)
    _holes(folder / "speech.npy", np.float32, utterances, 1024)
    _holes(folder / "image.npy", np.float32, pictures, VIEWS, 1024)


def _holes(path: Path, dtype: Any, rows: int, *row: int) -> None:
    with ArrayWriter(path, dtype, row) as writer:
        writer.place(np.array([rows - 1]), np.zeros((1, *row), dtype))


def measure(folder: Path, pictures: int) -> None:
    """Print CPU seconds of every part, and the memory of the process once it is done."""
    for name, seconds in parts(folder, pictures):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        sys.stdout.write(f"{pictures:>9,} {name:44}{seconds:11.4f} s {peak:7,} MB\n")
        sys.stdout.flush()


def parts(folder: Path, pictures: int) -> Iterator[tuple[str, float]]:
    """Yield what is measured, and its CPU seconds."""
    corpus, seconds = _timed(lambda: Corpus(folder / "corpus"))
    yield "tables of the corpus", seconds
    shard = partial(Descriptions(folder / "corpus", "espeak").shard, 0)
    yield "tts: list a shard of 512", _again(shard)
    del shard
    chosen, seconds = _timed(lambda: TrainingPictures(corpus.images, corpus.descriptions))
    yield "train_rdg: training pictures", seconds
    sample = read_params(Path("params.yaml")).sample
    yield "sample: plan", _timed(lambda: plan(corpus.descriptions, sample))[1]
    streams: Mapping[str, Any] = {
        "train_sen: batch of 128": _pairs(folder, corpus),
        "train_rdg: batch of 64": _batches(folder, chosen),
    }
    for name, stream in streams.items():
        yield name, _again(partial(stream.__getitem__, 0))
    for name, seconds in _search(pictures // 10):
        yield name, seconds


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def _again(work: Callable[[], Any]) -> float:
    work()
    return _timed(work)[1]


def _pairs(folder: Path, corpus: Corpus) -> PairStream:
    table = corpus.descriptions
    rows = np.flatnonzero(table["split"] == "train").astype(np.int64)
    return PairStream(
        Ragged(folder, "mel"),
        open_array(folder / "backbone.npy"),
        utterances=rows,
        images=table["image"].to_numpy(np.int64)[rows],
        labels=table["class_id"].to_numpy(np.int64)[rows],
        batch=128,
        seed=1,
    )


def _batches(folder: Path, pictures: TrainingPictures) -> BatchStream:
    return BatchStream(
        pictures,
        PackedPixels(folder),
        EmbeddedSpeech(open_array(folder / "speech.npy")),
        open_array(folder / "image.npy"),
        seed=1,
        batch_size=64,
        crop=256,
        noise_dim=100,
        condition_dim=128,
        wrong_pictures=False,
        wrong_speech=True,
        embedding_mix=0.5,
    )


def _search(gallery: int) -> Iterator[tuple[str, float]]:
    """Yield the cost of a billion pairs, at the gallery that the test split is."""
    items = np.random.default_rng(0).standard_normal((gallery, 1024)).astype(np.float32)
    order = search(items[:QUERIES], items)
    pairs = order.shape[0] * order.shape[1]
    classes = np.arange(gallery) % max(gallery // PER_CLASS, 1)
    arguments = (order, classes[:QUERIES], classes, {"mAP": ranked_average_precisions})
    ranked = _timed(lambda: measure_rankings(*arguments))[1]
    both = _timed(
        lambda: chance_by_permutation(
            *arguments, permute="queries", permutations=PERMUTATIONS, seed=0
        )
    )[1]
    yield "figures: 10^9 pairs ranked", ranked / pairs * 1e9
    yield (
        "figures: chance of them, 100 permutations",
        ((both + (both - ranked) / PERMUTATIONS * (100 - PERMUTATIONS)) / pairs * 1e9),
    )


if __name__ == "__main__":
    run(main)
