"""The stage ``tts``: one utterance per description, spoken or recorded, in shards."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from s2igan.corpora.index import open_recordings
from s2igan.engine.folders import fresh_folder
from s2igan.engine.progress import bar
from s2igan.engine.workers import parallel_map
from s2igan.speech.audio import from_pcm, resample, to_pcm
from s2igan.speech.config import TtsConfig, split_voice
from s2igan.speech.descriptions import Description, Descriptions
from s2igan.speech.espeak import say
from s2igan.speech.lines import draw_line
from s2igan.speech.programs import check_programs, check_voices, programs_of, speak_line
from s2igan.speech.recordings import take_recording
from s2igan.speech.shards import SHARD_SIZE, Spoken, shard_path, write_shard

if TYPE_CHECKING:
    import torch


def speak_corpus(
    config: TtsConfig,
    *,
    corpus: Path,
    weights: Path,
    out: Path,
    device: "torch.device | None",
    workers: int,
    kept: Path,
) -> None:
    """Write the audio of every description of ``corpus`` into the folder ``out``.

    Utterances are made in fixed shards of :data:`~s2igan.speech.shards.SHARD_SIZE`, so the bytes do
    not depend on ``workers``.

    Args:
        config: the section ``tts``.
        corpus: the corpus folder.
        weights: the folder of verified weights; read by the engine ``tacotron2``.
        out: folder of shards to (re)place.
        device: where the engine ``tacotron2`` computes; None is the CPU.
        workers: shards that the other engines make at the same time.
        kept: folder under which the engine ``tacotron2``, and ``espeak`` beside other programs,
            keep finished shards for the run after a killed one.

    Raises:
        UserError: if a description lacks what the engine needs, weights are missing, a recording
            does not decode, a voice is refused, or a text yields no audio; the utterance is named.
    """
    if config.engine == "espeak":
        check_programs(config)
    descriptions = Descriptions(corpus, config.engine)
    if config.engine == "tacotron2":
        # Loading torch takes seconds, and the other engines need none of it.
        import torch

        from s2igan.speech.narration import narrate_corpus

        device = device or torch.device("cpu")
        narrate_corpus(config, descriptions, weights=weights, out=out, device=device, kept=kept)
    elif config.engine == "espeak" and programs_of(config):
        first = descriptions.shard(0)[0]
        check_voices(config, str(first.content), first.name)
        _with_programs(config, descriptions, out, workers, kept)
    else:
        _in_processes(config, descriptions, corpus, out, workers)


def _in_processes(
    config: TtsConfig, descriptions: Descriptions, corpus: Path, out: Path, workers: int
) -> None:
    with fresh_folder(out) as partial_out:
        for _ in _each_shard(partial(_write, config, corpus, partial_out), descriptions, workers):
            pass


def _with_programs(
    config: TtsConfig, descriptions: Descriptions, out: Path, workers: int, kept: Path
) -> None:
    """Speak where other programs do, which may take hours: finished shards outlive a kill."""
    from s2igan.engine.checkpoint import checkpoint_key
    from s2igan.engine.closure import own_sources
    from s2igan.speech.finished import kept_in, place

    folder = kept / f"speech-{checkpoint_key(config.model_dump_json(), [], own_sources(__name__))}"
    with kept_in(folder), fresh_folder(out) as partial_out:
        made = _each_shard(partial(_keep, config, folder), descriptions, workers)
        for shard, path in enumerate(made):
            place(path, shard_path(partial_out, shard))


def _each_shard(
    make: Callable[[list[Description]], Path], descriptions: Descriptions, workers: int
) -> Iterator[Path]:
    """Yield what ``make`` returns of every shard, in order, and show how far it is."""
    jobs = (descriptions.shard(shard) for shard in range(descriptions.shards))
    progress = bar(len(descriptions), "speak", unit="utterances")
    with progress:
        for shard, path in enumerate(parallel_map(make, jobs, workers)):
            yield path
            progress.update(min(SHARD_SIZE, len(descriptions) - shard * SHARD_SIZE))


def _write(config: TtsConfig, corpus: Path, out: Path, job: list[Description]) -> Path:
    from_text = config.engine == "espeak"
    spoken = _spoken(config, job) if from_text else _recorded(config, corpus, job)
    path = shard_path(out, _number(job))
    write_shard(path, spoken, config.sample_rate_hz)
    return path


def _keep(config: TtsConfig, folder: Path, job: list[Description]) -> Path:
    from s2igan.speech.finished import keep, kept_path

    path = kept_path(folder, _number(job), [f"{item.split} {item.content!s}" for item in job])
    if not path.is_file():
        keep(path, _spoken(config, job), config.sample_rate_hz)
    return path


def _number(job: list[Description]) -> int:
    return job[0].utterance // SHARD_SIZE


def _spoken(config: TtsConfig, job: list[Description]) -> Iterator[Spoken]:
    lines = [draw_line(config, item.utterance, str(item.content), item.split) for item in job]
    # Loading a voice costs a tenth of a sentence: every voice says its lines in one go.
    order = sorted(range(len(job)), key=lambda row: lines[row].voice)
    own = [row for row in order if split_voice(lines[row].voice)[0] is None]
    audio = say([lines[row] for row in own], [job[row].name for row in own]) if own else ()
    for row, (pcm, rate_hz) in zip(own, audio, strict=True):
        if rate_hz != config.sample_rate_hz:
            pcm = to_pcm(resample(from_pcm(pcm), rate_hz, config.sample_rate_hz))
        item, line = job[row], lines[row]
        yield Spoken(item.utterance, line.voice, line.rate_wpm, line.pitch, pcm)
    for item, line in zip(job, lines, strict=True):
        if split_voice(line.voice)[0] is not None:
            pcm = speak_line(config, line, item.name)
            yield Spoken(item.utterance, line.voice, line.rate_wpm, None, pcm)


def _recorded(config: TtsConfig, corpus: Path, job: list[Description]) -> Iterator[Spoken]:
    recordings = open_recordings(corpus)
    for item in job:
        data = bytes(recordings[int(item.content)])
        pcm = take_recording(data, config.sample_rate_hz, item.name, config.recordings)
        yield Spoken(item.utterance, None, None, None, pcm)
