"""Training steps per second of the RDG on this machine's device, with what the pipeline has made.

    python -m bench.steps [--params params.yaml] [--artifacts artifacts] [--steps 20]

Run the stages up to `embed` first. On a GPU,
`--base-size 64 --crop 256 --batch-size 24` measures the paper's picture sizes.
"""

import argparse
import time
from pathlib import Path

import torch

from s2igan.config import read_params
from s2igan.corpora.index import Corpus
from s2igan.engine.device import choose_device
from s2igan.rdg.batches import TrainingPictures
from s2igan.rdg.speech_modes import open_speech
from s2igan.rdg.step import RdgStep
from s2igan.rdg.train import open_stream
from s2igan.sen.images import load_image_embedding

WARM_UP = 3


def main() -> None:
    """Run the measurement and print one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--steps", type=int, default=20)
    for name in ("base-size", "crop", "batch-size", "gf", "df"):
        parser.add_argument(f"--{name}", type=int)
    args = parser.parse_args()
    device = choose_device()
    chosen = {key: getattr(args, key) for key in ("base_size", "crop", "batch_size", "gf", "df")}
    config = read_params(args.params).rdg.model_copy(
        update={key: value for key, value in chosen.items() if value is not None}
    )
    folder = {
        name: args.artifacts / name
        for name in ("corpus", "features", "embeddings", "weights", "sen")
    }
    opened = Corpus(folder["corpus"])
    pictures = TrainingPictures(opened.images, opened.descriptions)
    kept = {name: folder[name] for name in ("features", "embeddings", "sen")}
    speech = open_speech(config, pictures.captions, **kept, folder=args.artifacts, device=device)
    stream = open_stream(config, pictures, speech.source, folder["features"], folder["embeddings"])
    update = RdgStep(
        config,
        embedding_dim=speech.source.embedding_dim,
        embed_image=load_image_embedding(
            folder["features"], folder["weights"], folder["sen"], device
        ),
        encoder=speech.learning,
        device=device,
    )
    for step in range(WARM_UP):
        update(step, stream[step])
    _wait(device)
    start = time.perf_counter()
    for step, batch in enumerate(stream.ahead(WARM_UP, WARM_UP + args.steps), WARM_UP):
        update(step, batch)
    _wait(device)
    rate = args.steps / (time.perf_counter() - start)
    print(
        f"{device}: {rate:.2f} steps/s, batch {config.batch_size}, "
        f"{4 * config.base_size} px, gf {config.gf}, df {config.df}, {config.precision}"
    )


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


if __name__ == "__main__":
    main()
