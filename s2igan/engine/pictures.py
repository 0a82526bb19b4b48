"""Pictures in memory: decoding, tiling and PNG files that are the same for the same pixels.

A picture is HWC uint8 RGB; a batch of pictures is NHWC uint8.
"""

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from s2igan.errors import UserError

Picture = npt.NDArray[np.uint8]


def decode_picture(data: bytes, name: str) -> Picture:
    """Decode one picture file into ``(H, W, 3)`` uint8 RGB.

    Args:
        data: the bytes of a JPEG, PNG or any other format that Pillow reads; grayscale, palette and
            CMYK pictures are converted, transparency is dropped.
        name: how an error names the picture.

    Raises:
        UserError: if the bytes are not a whole picture.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise UserError(
            f"picture {name!r}",
            got=f"{len(data)} bytes that do not decode ({error})",
            expected="a whole JPEG or PNG file",
            fix="replace the file or take it out of the corpus",
        ) from error


def tile(pictures: Picture, columns: int, gap: int = 2) -> Picture:
    """Lay ``(N, H, W, 3)`` pictures out row by row on white.

    Args:
        pictures: the pictures, all of one size.
        columns: pictures per row.
        gap: white pixels between neighbours.

    Returns:
        One picture, ``(rows * H + gaps, columns * W + gaps, 3)`` uint8.
    """
    count, height, width, _ = pictures.shape
    rows = -(-count // columns)
    sheet = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=np.uint8
    )
    for index, picture in enumerate(pictures):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def save_png(path: Path, picture: Picture) -> None:
    """Write one ``(H, W, 3)`` picture as PNG without any metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, format="PNG", optimize=False, compress_level=6)
