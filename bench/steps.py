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
from s2igan.engine.arrays import open_array
from s2igan.engine.device import choose_device
from s2igan.rdg.step import RdgStep
from s2igan.rdg.train import load_image_embedding, open_stream

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
    stream = open_stream(config, folder["corpus"], folder["features"], folder["embeddings"])
    update = RdgStep(
        config,
        embedding_dim=open_array(folder["embeddings"] / "speech.npy").shape[1],
        embed_image=load_image_embedding(
            folder["features"], folder["weights"], folder["sen"], device
        ),
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
