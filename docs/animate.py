"""Turn the picture of a training into a short animation: real birds above, drawn ones below.

python docs/animate.py plots/training_grid.png docs/images/training.webp
"""

import argparse
from pathlib import Path

from PIL import Image

GAP = 2  # pixels between the tiles of the grid, see s2igan.engine.pictures.tile
SCALE = 2
FRAME_MS, LAST_MS = 350, 2500


def rows_of(grid: Image.Image, columns: int) -> list[Image.Image]:
    """Cut a grid of square tiles into its rows."""
    side = (grid.width + GAP) // columns - GAP
    tops = range(0, grid.height, side + GAP)
    return [grid.crop((0, top, grid.width, top + side)) for top in tops]


def frames(grid: Image.Image, columns: int) -> list[Image.Image]:
    """Return one frame per drawn row, below the real one, enlarged."""
    real, *drawn = rows_of(grid.convert("RGB"), columns)
    made = []
    for row in drawn:
        frame = Image.new("RGB", (real.width, 2 * real.height + 4 * GAP), "white")
        frame.paste(real, (0, 0))
        frame.paste(row, (0, real.height + 4 * GAP))
        size = (SCALE * frame.width, SCALE * frame.height)
        made.append(frame.resize(size, Image.Resampling.LANCZOS))
    return made


def main() -> None:
    """Write the animation."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("grid", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--columns", type=int, default=8)
    args = parser.parse_args()
    first, *others = frames(Image.open(args.grid), args.columns)
    first.save(
        args.out,
        save_all=True,
        append_images=others,
        duration=[FRAME_MS] * len(others) + [LAST_MS],
        loop=0,
    )


if __name__ == "__main__":
    main()
