"""What the stage `train_rdg` reads, in pieces that travel to a machine with a GPU.

    python -m bench.pack [--artifacts artifacts] [--params params.yaml] [--wheels wheels]

Photographs become JPEG, embeddings float16; everything else goes as it is. Wheels that the other
machine lacks travel along. `bench/gpu.sh` takes the pieces, in one call or in several.
"""

import argparse
import io
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from bench.parts import MIB, split
from s2igan.engine.arrays import Ragged, RaggedWriter, open_array, write_array
from s2igan.vision.pixels import PackedPixels, PixelWriter

NAME = "inputs"
QUALITY = 95
WHOLE = {
    "corpus": ("index.parquet", "descriptions.parquet", "corpus.json"),
    "features": ("backbone.json", "backbone.safetensors"),
    "sen": ("*",),
    "weights": ("*",),
}
EMBEDDINGS = ("speech.npy", "image.npy")


def pack(artifacts: Path, params: Path, out: Path, *, limit: int, wheels: Path | None) -> None:
    """Write ``inputs.json`` and ``inputs.000``, … into ``out``.

    Args:
        artifacts: what the pipeline made, up to ``embed``.
        params: file of parameters of the run there.
        out: folder of the pieces.
        limit: most bytes of a piece.
        wheels: folder of wheels to take along, or None.
    """
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        archive = folder / "inputs.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(params, "params.yaml")
            _add_whole(tar, artifacts)
            _write_light(folder, artifacts)
            for path in sorted(folder.glob("light/**/*")):
                if path.is_file():
                    tar.add(path, f"packed/{path.relative_to(folder / 'light')}")
            for wheel in sorted(wheels.glob("*.whl")) if wheels else ():
                tar.add(wheel, f"wheels/{wheel.name}")
        split(archive, out, NAME, limit)


def _add_whole(tar: tarfile.TarFile, artifacts: Path) -> None:
    for folder, patterns in WHOLE.items():
        for pattern in patterns:
            for path in sorted((artifacts / folder).glob(pattern)):
                tar.add(path, f"packed/{folder}/{path.name}")


def _write_light(folder: Path, artifacts: Path) -> None:
    light = folder / "light"
    for name in ("features", "embeddings"):
        (light / name).mkdir(parents=True)
    for name in EMBEDDINGS:
        values = np.asarray(open_array(artifacts / "embeddings" / name))
        write_array(light / "embeddings" / name, values.astype(np.float16))
    pixels = PackedPixels(artifacts / "features")
    # Test pictures stay behind: the training never looks at them, and no figure is taken there.
    splits = pd.read_parquet(artifacts / "corpus" / "index.parquet")["split"]
    with RaggedWriter(light / "features", "jpeg", np.uint8) as writer:
        for row, part in enumerate(splits):
            writer.append(_jpeg(pixels[row]) if part == "train" else b"")


def _jpeg(picture: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=QUALITY, subsampling=0)
    return buffer.getvalue()


def unpack(packed: Path) -> None:
    """Turn a packed folder of artifacts into what the stage reads, in place."""
    for folder in WHOLE:  # a corpus may need nothing of one
        (packed / folder).mkdir(exist_ok=True)
    features = packed / "features"
    if (features / "pixels.npy").is_file():
        return
    for name in EMBEDDINGS:
        path = packed / "embeddings" / name
        write_array(path, np.load(path).astype(np.float32))
    pictures = Ragged(features, "jpeg")
    blank = np.zeros((1, 1, 3), np.uint8)
    with PixelWriter(features) as writer:
        for row in range(len(pictures)):
            data = bytes(pictures[row])
            writer.append(np.asarray(Image.open(io.BytesIO(data))) if data else blank)


def main(argv: Sequence[str] | None = None) -> int:
    """Pack, or unpack in place."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--artifacts", type=Path, default=Path("artifacts"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--out", type=Path, default=Path("bench/pieces"))
    parser.add_argument("--limit-mib", type=float, default=40)
    parser.add_argument("--wheels", type=Path)
    parser.add_argument("--unpack", type=Path, help="a packed folder to turn back")
    args = parser.parse_args(argv)
    if args.unpack:
        unpack(args.unpack)
        return 0
    limit = int(args.limit_mib * MIB)
    pack(args.artifacts, args.params, args.out, limit=limit, wheels=args.wheels)
    for path in sorted(args.out.glob(f"{NAME}.*")):
        print(f"{path}  {path.stat().st_size / MIB:.1f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
