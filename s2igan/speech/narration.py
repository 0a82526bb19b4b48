"""The engine ``tacotron2``: a whole corpus, in batches by length, on the device."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
import torch

from s2igan.engine.checkpoint import checkpoint_key
from s2igan.engine.closure import own_sources
from s2igan.engine.distributed import first_folder, is_first, rank, shared, world
from s2igan.engine.progress import bar
from s2igan.engine.seeding import torch_generator
from s2igan.errors import UserError
from s2igan.speech.audio import Samples, resample, to_pcm
from s2igan.speech.config import TtsConfig
from s2igan.speech.descriptions import Description, Descriptions
from s2igan.speech.finished import keep, kept_in, kept_path, place
from s2igan.speech.narrator import Failed
from s2igan.speech.normalisation import speakable
from s2igan.speech.pieces import pieces_of
from s2igan.speech.shards import Spoken, shard_path
from s2igan.speech.tacotron2 import LISTED, load_narrator
from s2igan.speech.vocoders import RATE_HZ

Speak = Callable[[Sequence[str], int], list[Samples | Failed]]
"""Texts and a seed in, what is heard of each out."""

VOICE: Final = "ljspeech"
"""The one voice, as the table of utterances names it."""

# Sentences that failed, with other random numbers, this often before they are taken in pieces.
_RETRIES: Final = 3
# Between two pieces, seconds.
_PAUSE: Final = 0.1
# Failed sentences that an error names one by one.
_NAMED: Final = 10


def narrate_corpus(
    config: TtsConfig,
    descriptions: Descriptions,
    *,
    weights: Path,
    out: Path,
    device: torch.device,
    kept: Path,
) -> None:
    """Speak ``descriptions`` with Tacotron2 into the folder of shards ``out``, all or nothing.

    Within its shard a sentence shares a batch with those of its length, and every batch draws from
    a seed of its own: two runs on one CPU give the same bytes, and a shard depends on no other.

    Finished shards outlive a kill under ``kept``.

    Raises:
        UserError: if weights are missing or damaged, a text holds nothing that can be said, or
            sentences fail, with other seeds and in pieces too; all are counted, the first ones
            named.
    """
    _check(descriptions)
    narrator = load_narrator(config.tacotron2, weights, device)
    folder = kept / f"speech-{_key(config, weights)}"
    with kept_in(folder), first_folder(out) as partial_out:
        paths = _finish(config, descriptions, narrator, folder)
        if not is_first():
            return
        for shard, path in enumerate(paths):
            place(path, shard_path(partial_out, shard))


def narrate_shard(
    speak: Speak, texts: Sequence[str], *, shard: int, seed: int, batch: int
) -> list[Samples | Failed]:
    """Speak the texts of one shard in batches by length, and what failed again, then in pieces.

    Attention loses its way most often in sentences longer than any that Tacotron2 was trained on.

    Args:
        speak: speaks a batch with a seed, such as a :class:`~s2igan.speech.narrator.Narrator`.
        texts: normalised, not empty.
        shard: number of the shard.
        seed: ``tts.seed``; batches draw from (seed, shard, whole or in pieces, attempt, batch).
        batch: most texts spoken at once.

    Returns:
        Per text, in order, its samples or why there are none.
    """
    heard = _attempts(speak, texts, seed=(seed, shard, 0), batch=batch)
    failed = [row for row, sound in enumerate(heard) if isinstance(sound, Failed)]
    cut = {row: pieces_of(texts[row]) for row in failed}
    pieces = [piece for row in failed for piece in cut[row] if len(cut[row]) > 1]
    spoken = iter(_attempts(speak, pieces, seed=(seed, shard, 1), batch=batch))
    for row in failed:
        if len(cut[row]) > 1:
            heard[row] = _joined(list(islice(spoken, len(cut[row]))), heard[row])
    return heard


def _attempts(
    speak: Speak, texts: Sequence[str], *, seed: Sequence[int], batch: int
) -> list[Samples | Failed]:
    """Speak ``texts`` in batches, and what failed with other random numbers."""
    heard: dict[int, Samples | Failed] = {}
    waiting = list(range(len(texts)))
    for attempt in range(1 + _RETRIES):
        for number, picked in enumerate(batches_by_length([texts[row] for row in waiting], batch)):
            rows = [waiting[index] for index in picked]
            spoken = speak([texts[row] for row in rows], _drawn(*seed, attempt, number))
            heard.update(zip(rows, spoken, strict=True))
        waiting = [row for row in waiting if isinstance(heard[row], Failed)]
    return [heard[row] for row in range(len(texts))]


def _joined(pieces: Sequence[Samples | Failed], otherwise: Samples | Failed) -> Samples | Failed:
    """Put ``pieces`` one behind the other, if all were spoken."""
    pause = np.zeros(round(_PAUSE * RATE_HZ), np.float32)
    parts: list[Samples] = []
    for piece in pieces:
        if isinstance(piece, Failed):
            return otherwise
        parts += [pause, piece]
    return np.concatenate(parts[1:])


def batches_by_length(texts: Sequence[str], size: int) -> Iterator[list[int]]:
    """Yield the rows of ``texts``, longest first, ``size`` at a time."""
    order = sorted(range(len(texts)), key=lambda row: -len(texts[row]))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _check(descriptions: Descriptions) -> None:
    """Tell what cannot be said before anything else is, not after hours."""
    for shard in range(descriptions.shards):
        _texts(descriptions.shard(shard))


def _texts(job: Sequence[Description]) -> list[str]:
    return [speakable(str(item.content), item.name) for item in job]


def _key(config: TtsConfig, weights: Path) -> str:
    return checkpoint_key(config.model_dump_json(), [weights / LISTED], own_sources(__name__))


def _finish(
    config: TtsConfig, descriptions: Descriptions, speak: Speak, folder: Path
) -> list[Path]:
    """Make every shard that is not finished yet, and return where all of them are.

    Processes take turns; they see one another's shards through the folder.
    """

    def made(shard: int) -> tuple[Path, int, list[str]]:
        job = descriptions.shard(shard)
        texts = _texts(job)
        path = kept_path(folder, shard, texts)
        if path.is_file():
            return path, len(job), []
        heard = narrate_shard(
            speak, texts, shard=shard, seed=config.seed, batch=config.tacotron2.batch
        )
        failed = _failures(job, heard)
        if not failed:
            keep(path, _spoken(config, job, heard), config.sample_rate_hz)
        return path, len(job), failed

    paths: list[Path] = []
    failures: list[str] = []
    own = range(rank(), descriptions.shards, world())
    progress = bar(len(descriptions), "speak", unit="utterances")
    with progress:
        for path, count, failed in shared(map(made, own), descriptions.shards):
            paths.append(path)
            failures += failed
            progress.update(count)
    if failures:
        raise _failed(failures, len(descriptions))
    return paths


def _failures(job: Sequence[Description], heard: Sequence[Samples | Failed]) -> list[str]:
    return [
        f"{item.name}: {sound.reason}"
        for item, sound in zip(job, heard, strict=True)
        if isinstance(sound, Failed)
    ]


def _spoken(
    config: TtsConfig, job: Sequence[Description], heard: Sequence[Samples | Failed]
) -> Iterator[Spoken]:
    for item, samples in zip(job, heard, strict=True):
        assert isinstance(samples, np.ndarray)
        pcm = to_pcm(resample(samples, RATE_HZ, config.sample_rate_hz))
        yield Spoken(item.utterance, VOICE, None, None, pcm)


def _drawn(seed: int, *key: int) -> int:
    return torch_generator(seed, *key).initial_seed()


def _failed(failures: Sequence[str], total: int) -> UserError:
    named = "; ".join(failures[:_NAMED])
    rest = f"; and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
    return UserError(
        f"{len(failures)} of {total} sentences that Tacotron2 did not speak",
        got=f"{named}{rest}",
        expected=f"speech of each in one of {1 + _RETRIES} attempts, whole or in pieces",
        fix="mend the texts; the sentences of all other shards are kept and not spoken again",
    )
