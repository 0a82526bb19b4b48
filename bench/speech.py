"""Utterances per second of one core through synthesis, FLAC and log-mel.

    python -m bench.speech [--params params.yaml] [--corpus artifacts/corpus] [--shards 2]

Counts the CPU time of this process and of the speaking processes that it starts.
"""

import argparse
import resource
from pathlib import Path

import torch

from s2igan.config import read_params
from s2igan.corpora.index import Corpus
from s2igan.speech.audio import decode_audio, encode_flac
from s2igan.speech.config import TtsConfig
from s2igan.speech.espeak import draw_line, say
from s2igan.speech.mel import LogMel
from s2igan.speech.shards import SHARD_SIZE


def cpu_seconds() -> float:
    """CPU time so far of this process and of its ended children, seconds."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def speak_shard(config: TtsConfig, front: LogMel, texts: list[str], first: int) -> None:
    """Take one shard of texts all the way from espeak-ng to log-mel frames."""
    names = [f"utterance {first + row}" for row in range(len(texts))]
    lines = [draw_line(config, first + row, text) for row, text in enumerate(texts)]
    for name, (pcm, rate_hz) in zip(names, say(lines, names), strict=True):
        samples, _ = decode_audio(encode_flac(pcm, rate_hz), name)
        front(samples)


def main() -> None:
    """Run the measurement and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--corpus", type=Path, default=Path("artifacts/corpus"))
    parser.add_argument("--shards", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(1)
    params = read_params(args.params)
    mel = params.features.mel
    front = LogMel(
        sample_rate_hz=params.tts.sample_rate_hz,
        bands=mel.bands,
        window=mel.window,
        window_ms=mel.window_ms,
        hop_ms=mel.hop_ms,
        log_floor=mel.log_floor,
        normalise=mel.normalise,
    )
    texts = Corpus(args.corpus).descriptions["text"].iloc[: args.shards * SHARD_SIZE].tolist()
    speak_shard(params.tts, front, texts[:16], 0)
    before = cpu_seconds()
    for start in range(0, len(texts), SHARD_SIZE):
        speak_shard(params.tts, front, texts[start : start + SHARD_SIZE], start)
    spent = cpu_seconds() - before
    print(
        f"{len(texts)} utterances, {spent:.1f} CPU s: {len(texts) / spent:.0f} per second and core"
    )


if __name__ == "__main__":
    main()
