"""The speech half of the stage ``features``: log-mel frames and the characters of the text."""

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from s2igan.corpora.index import Corpus
from s2igan.engine.arrays import RaggedWriter
from s2igan.engine.distributed import exhaust, is_first, rank, shared_to_first, world
from s2igan.engine.progress import bar
from s2igan.engine.tables import read_table, write_json
from s2igan.engine.threads import one_thread
from s2igan.engine.workers import parallel_map
from s2igan.errors import UserError
from s2igan.speech.config import MelConfig
from s2igan.speech.mel import LogMel, MelParameters
from s2igan.speech.shards import SpeechShards


def write_mel(config: MelConfig, *, corpus: Path, speech: Path, out: Path, workers: int) -> None:
    """Write ``mel.*`` and ``characters.*`` of every utterance into the existing folder ``out``.

    ``mel`` is Ragged float16 ``(T, bands)``, ``mel.json`` the arguments of
    :class:`~s2igan.speech.mel.LogMel`; ``characters`` is Ragged uint8, the lower-cased UTF-8 text,
    empty where a description has none.

    The first of several processes writes. ``workers``, shards that are worked on at the same time,
    change no byte.

    Raises:
        UserError: if corpus and speech do not belong together, or an utterance is too short.
    """
    texts = read_table(corpus / "descriptions.parquet", ["text"], only=True)["text"]
    shards = SpeechShards(speech)
    if len(shards) != len(texts):
        raise UserError(
            f"speech folder {str(speech)!r}",
            got=f"{len(shards)} utterances",
            expected=f"{len(texts)}, one per description of the corpus",
            fix="run `dvc repro`",
        )
    _, rate_hz = shards[0]
    # A window or band that is too narrow is told before any work.
    parameters = LogMel(
        sample_rate_hz=rate_hz,
        bands=config.bands,
        window=config.window,
        window_ms=config.window_ms,
        hop_ms=config.hop_ms,
        log_floor=config.log_floor,
        normalise=config.normalise,
    ).parameters
    work = partial(_shard_frames, parameters, corpus, shards)
    own = range(rank(), shards.shards, world())
    framed = shared_to_first(parallel_map(work, own, workers), shards.shards)
    if not is_first():
        exhaust(framed)
        return
    progress = bar(len(shards), "log-mel", unit="utterances")
    with progress, RaggedWriter(out, "mel", np.float16, (config.bands,)) as mel:
        for utterances in framed:
            for frames in utterances:
                mel.append(frames)
            progress.update(len(utterances))
    write_json(out / "mel.json", dict(parameters))
    _write_characters(out, texts)


def _shard_frames(
    parameters: MelParameters, corpus: Path, shards: SpeechShards, shard: int
) -> list[npt.NDArray[np.float16]]:
    with one_thread():  # the workers share the cores already
        return list(_frames(LogMel(**parameters), corpus, shards, shard))


def _frames(
    front: LogMel, corpus: Path, shards: SpeechShards, shard: int
) -> Iterator[npt.NDArray[np.float16]]:
    for utterance, samples, _ in shards.shard(shard):
        if len(samples) < front.window_length:
            raise UserError(
                Corpus(corpus).description_name(utterance),
                got=f"{len(samples)} samples",
                expected=f"at least {front.window_length}, one window",
                fix="record it again or take the description out of the corpus",
            )
        yield front(samples).to(torch.float16).numpy()


def _write_characters(out: Path, texts: Iterable[str | None]) -> None:
    with RaggedWriter(out, "characters", np.uint8) as characters:
        for text in texts:
            characters.append(text.lower().encode() if isinstance(text, str) else b"")
