"""What the stage `train_rdg` reads, in pieces that travel to a machine with a GPU.

    python -m bench.pack [--artifacts artifacts] [--params params.yaml] [--wheels wheels]

Training pictures become WebP, smaller where `--side` says so, and their embeddings float16
coefficients of the directions that they fill; those of other splits stay behind. Everything else
goes as it is. Wheels that the other machine lacks travel along. `bench/gpu.sh` takes the pieces, in
one call or in several.
"""

import argparse
import io
import tarfile
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from PIL import Image

from bench.command import run
from bench.parts import MIB, split
from s2igan.config import read_params
from s2igan.engine.arrays import Ragged, RaggedWriter, open_array, write_array
from s2igan.engine.pictures import Picture
from s2igan.vision.pixels import PackedPixels, PixelWriter

NAME = "inputs"
WHOLE = {
    "corpus": ("index.parquet", "descriptions.parquet", "corpus.json"),
    "features": ("backbone.json", "backbone.safetensors"),
    "sen": ("*",),
    "weights": ("*",),
}
EMBEDDINGS = ("speech", "image")

LOST = 1e-3  # of the squared length of embeddings, at most
GRID = 2.0**22  # steps per unit of a direction, where embeddings come out

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """How pictures travel: WebP of this quality, the shorter side at most ``side`` px."""

    quality: int = 90
    side: int | None = None


def pack(
    artifacts: Path, params: Path, out: Path, *, limit: int, wheels: Path | None, shape: Shape
) -> None:
    """Write ``inputs.json`` and ``inputs.000``, … into ``out``.

    Args:
        artifacts: what the pipeline made, up to ``embed``.
        params: file of parameters of the run there.
        out: folder of the pieces.
        limit: most bytes of a piece.
        wheels: folder of wheels to take along, or None.
        shape: of the pictures.

    Raises:
        SystemExit: if no crop of the training fits into pictures of that side.
    """
    crop = read_params(params).rdg.crop
    if shape.side is not None and shape.side < crop:
        # Here, since the training would say so on a machine that is lent for minutes.
        raise SystemExit(f"--side: got {shape.side}; expected at least {crop}, rdg.crop")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        archive = folder / "inputs.tar"
        with tarfile.open(archive, "w") as tar:
            _add(tar, params, "params.yaml")
            _add_whole(tar, artifacts)
            _write_light(folder, artifacts, shape)
            for path in sorted(folder.glob("light/**/*")):
                if path.is_file():
                    _add(tar, path, f"packed/{path.relative_to(folder / 'light')}")
            for wheel in sorted(wheels.glob("*.whl")) if wheels else ():
                _add(tar, wheel, f"wheels/{wheel.name}")
        split(archive, out, NAME, limit)


def _add_whole(tar: tarfile.TarFile, artifacts: Path) -> None:
    for folder, patterns in WHOLE.items():
        for pattern in patterns:
            for path in sorted((artifacts / folder).glob(pattern)):
                _add(tar, path, f"packed/{folder}/{path.name}")


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    """Add a file by its bytes alone: the same inputs packed again are the same pieces."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        return member.replace(mtime=0, mode=0o644, uid=0, gid=0, uname="", gname="", deep=False)

    tar.add(path, name, filter=plain)


def _write_light(folder: Path, artifacts: Path, shape: Shape) -> None:
    light = folder / "light"
    for name in ("features", "embeddings"):
        (light / name).mkdir(parents=True)
    # Test pictures stay behind: the training never looks at them, and no figure is taken there.
    trains = pd.read_parquet(artifacts / "corpus" / "index.parquet")["split"].eq("train")
    described = pd.read_parquet(artifacts / "corpus" / "descriptions.parquet")["image"]
    kept = {"speech": trains.to_numpy()[described.to_numpy()], "image": trains.to_numpy()}
    for name in EMBEDDINGS:
        values = open_array(artifacts / "embeddings" / f"{name}.npy")
        rows = np.flatnonzero(kept[name])
        flat = np.asarray(values[rows], np.float32).reshape(-1, values.shape[-1])
        coefficients, directions = _factored(flat)
        np.savez(
            light / "embeddings" / f"{name}.npz",
            rows=rows,
            coefficients=coefficients.astype(np.float16),
            directions=directions,
            shape=np.array(values.shape),
        )
    pixels = PackedPixels(artifacts / "features")
    with RaggedWriter(light / "features", "webp", np.uint8) as writer:
        for row, train in enumerate(trains):
            writer.append(_compressed(pixels[row], shape) if train else b"")


def _factored(values: Floats) -> tuple[Floats, Floats]:
    """Return coefficients ``(n, K)`` and directions ``(K, E)`` whose product is close to values.

    Embeddings fill no more directions than the layer before their projection has units.
    """
    strengths, directions = np.linalg.eigh(values.T.astype(np.float64) @ values)
    lost = np.cumsum(strengths) / strengths.sum()
    kept = directions[:, lost > LOST].T.astype(np.float32)  # (K, E)
    return values @ kept.T, kept


def _compressed(picture: Picture, shape: Shape) -> bytes:
    image = Image.fromarray(picture)
    if shape.side is not None and shape.side < min(image.size):
        share = shape.side / min(image.size)
        width, height = (max(shape.side, round(share * side)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=shape.quality)
    return buffer.getvalue()


def unpack(packed: Path) -> None:
    """Turn a packed folder of artifacts into what the stage reads, in place; anew at every call."""
    for folder in WHOLE:  # a corpus may need nothing of one
        (packed / folder).mkdir(exist_ok=True)
    features = packed / "features"
    for name in EMBEDDINGS:
        with np.load(packed / "embeddings" / f"{name}.npz") as light:
            rows, shape = light["rows"], tuple(light["shape"])
            whole = np.zeros(shape, np.float32)
            values = _product(light["coefficients"], light["directions"])
            whole[rows] = values.reshape(len(rows), *shape[1:])
        write_array(packed / "embeddings" / f"{name}.npy", whole)
    pictures = Ragged(features, "webp")
    with PixelWriter(features) as writer, ThreadPoolExecutor() as pool:
        for picture in pool.map(lambda row: _expanded(pictures[row]), range(len(pictures))):
            writer.append(picture)


def _product(coefficients: npt.NDArray[np.float16], directions: Floats) -> Floats:
    """Return ``coefficients @ directions``, with the same bytes on every machine.

    Checkpoints are named by the bytes of what a training reads, and processors add up products in
    orders of their own. So nothing is rounded before the end: a float16 is a multiple of 2⁻²⁴, a
    direction is made one of 1 / :data:`GRID`, and float64 holds sums of multiples of 2⁻⁴⁶ exactly
    below 128. Embeddings are unit vectors, and directions orthonormal: no sum passes 1 by much.
    """
    steps = np.rint(directions.astype(np.float64) * GRID) / GRID
    return (coefficients.astype(np.float64) @ steps).astype(np.float32)


def _expanded(data: npt.NDArray[Any]) -> Picture:
    if not len(data):
        return np.zeros((1, 1, 3), np.uint8)
    return np.asarray(Image.open(io.BytesIO(bytes(data))))


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--out", type=Path, default=Path("bench/pieces"))
    parser.add_argument("--limit-mib", type=float, default=40)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--quality", type=int, default=Shape.quality, help="of WebP, to 100")
    parser.add_argument("--side", type=int, help="longest shorter side of a picture, px")
    parser.add_argument("--unpack", type=Path, help="a packed folder to turn back")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Pack, or unpack in place."""
    args = build_parser().parse_args(argv)
    if args.unpack:
        unpack(args.unpack)
        return 0
    limit = int(args.limit_mib * MIB)
    pack(
        args.artifacts,
        args.params,
        args.out,
        limit=limit,
        wheels=args.wheels,
        shape=Shape(args.quality, args.side),
    )
    for path in sorted(args.out.glob(f"{NAME}.*")):
        print(f"{path}  {path.stat().st_size / MIB:.1f} MiB")
    return 0


if __name__ == "__main__":
    run(main)
