"""The stage ``tts``: one utterance per description, spoken or recorded, in shards."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from s2igan.corpora.index import Corpus
from s2igan.engine.folders import fresh_folder
from s2igan.engine.progress import Bar, bar
from s2igan.engine.workers import parallel_map
from s2igan.errors import UserError
from s2igan.speech.audio import from_pcm, resample, to_pcm
from s2igan.speech.config import TtsConfig
from s2igan.speech.espeak import draw_line, say
from s2igan.speech.recordings import take_recording
from s2igan.speech.shards import SHARD_SIZE, Spoken, shard_path, write_shard


class _Description(NamedTuple):
    utterance: int
    name: str
    content: str | bytes  # the text to say, or the recording to take


def speak_corpus(config: TtsConfig, *, corpus: Path, out: Path, workers: int) -> None:
    """Write the audio of every description of ``corpus`` into the folder ``out``.

    Utterances are made in fixed shards of :data:`~s2igan.speech.shards.SHARD_SIZE`, so the bytes do
    not depend on ``workers``.

    Args:
        config: the section ``tts``.
        corpus: the corpus folder.
        out: folder of shards to (re)place.
        workers: shards that are made at the same time.

    Raises:
        UserError: if a description lacks what the engine needs, a recording does not decode, a
            voice is refused, or a text yields no audio; the utterance is named.
    """
    source = Corpus(corpus)
    column = "text" if config.engine == "espeak" else "recording"
    _check(source.descriptions, column, source.images["name"])
    shards = -(-len(source.descriptions) // SHARD_SIZE)
    with fresh_folder(out) as partial_out:
        work = partial(_write, config, partial_out)
        jobs = (_job(source, column, shard) for shard in range(shards))
        progress: Bar[None] = bar(len(source.descriptions), "speak")
        with progress:
            for spoken in parallel_map(work, jobs, workers):
                progress.update(spoken)


def _check(descriptions: pd.DataFrame, column: str, images: "pd.Series[str]") -> None:
    contents = descriptions[column]
    missing = contents.isna() if column == "recording" else _blank(contents)
    if not missing.any():
        return
    first = int(missing.to_numpy().argmax())
    other, engine = ("recording", "recorded") if column == "text" else ("text", "espeak")
    fix = "take the description out of the corpus"
    if descriptions[other].notna().any():
        fix = f"set tts.engine to {engine}, or {fix}"
    raise UserError(
        f"{column} of {_name(descriptions, images, first)}",
        got="none" if pd.isna(contents.iloc[first]) else "no words",
        expected=f"a {column} for every description; {missing.sum()} of {len(missing)} lack it",
        fix=fix,
    )


def _blank(texts: "pd.Series[str]") -> "pd.Series[bool]":
    return texts.isna() | (texts.fillna("").str.strip() == "")


def _job(source: Corpus, column: str, shard: int) -> list[_Description]:
    rows = range(shard * SHARD_SIZE, min((shard + 1) * SHARD_SIZE, len(source.descriptions)))
    contents = source.descriptions[column].iloc[rows.start : rows.stop].tolist()
    if column == "recording":
        contents = [source.recording_bytes(recording) for recording in contents]
    names = [_name(source.descriptions, source.images["name"], row) for row in rows]
    return [_Description(*row) for row in zip(rows, names, contents, strict=True)]


def _name(descriptions: pd.DataFrame, images: "pd.Series[str]", utterance: int) -> str:
    image, position = descriptions[["image", "position"]].iloc[utterance]
    return f"utterance {utterance} (picture {images.iloc[image]!r}, description {position})"


def _write(config: TtsConfig, out: Path, job: list[_Description]) -> int:
    make = _spoken if config.engine == "espeak" else _recorded
    shard = job[0].utterance // SHARD_SIZE
    return write_shard(shard_path(out, shard), make(config, job), config.sample_rate_hz)


def _spoken(config: TtsConfig, job: list[_Description]) -> Iterator[Spoken]:
    lines = [draw_line(config, item.utterance, str(item.content)) for item in job]
    # Loading a voice costs a tenth of a sentence: every voice says its lines in one go.
    order = sorted(range(len(job)), key=lambda row: lines[row].voice)
    audio = say([lines[row] for row in order], [job[row].name for row in order])
    for row, (pcm, rate_hz) in zip(order, audio, strict=True):
        item, line = job[row], lines[row]
        if rate_hz != config.sample_rate_hz:
            pcm = to_pcm(resample(from_pcm(pcm), rate_hz, config.sample_rate_hz))
        yield Spoken(item.utterance, line.voice, line.rate_wpm, line.pitch, pcm)


def _recorded(config: TtsConfig, job: list[_Description]) -> Iterator[Spoken]:
    for item in job:
        assert isinstance(item.content, bytes)
        pcm = take_recording(item.content, config.sample_rate_hz, item.name)
        yield Spoken(item.utterance, None, None, None, pcm)
