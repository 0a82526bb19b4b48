"""Pictures in memory: decoding, tiling and PNG files that are the same for the same pixels.

A picture is HWC uint8 RGB; a batch of pictures is NHWC uint8.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from s2igan.engine.folders import write_whole
from s2igan.errors import UserError

Picture = npt.NDArray[np.uint8]

_UNREADABLE = (
    Image.DecompressionBombError,
    IndexError,
    OSError,
    RuntimeError,
    SyntaxError,
    ValueError,
    struct.error,
    zlib.error,
)
_DRAFT = (32, 32)  # the smallest scale of a JPEG decodes several times faster and reads every byte

# By EXIF's number, how to turn what a camera stored.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_FIRST_SIDEWAYS = 5


class PictureError(Exception):
    """Says of a file's content why no picture comes of it."""


def decode_picture(data: bytes, name: str, *, upright: bool = False) -> Picture:
    """Decode one picture file into ``(H, W, 3)`` uint8 RGB.

    Args:
        data: the bytes of a JPEG, PNG or any other format that Pillow reads, but no PostScript;
            grayscale, palette and CMYK pictures are converted, 16 bits become 8, transparency is
            dropped.
        name: how an error names the picture.
        upright: whether the picture is turned as its camera noted; else its pixels lie as stored.

    Raises:
        UserError: if the bytes are not a whole picture.
    """
    try:
        with _opened(data) as image:
            image.load()
            turn = _TURNS.get(_orientation(image)) if upright else None
            return _rgb(image if turn is None else image.transpose(turn))
    except PictureError as error:
        raise UserError(
            f"picture {name!r}",
            got=error,
            expected="a whole JPEG or PNG file of 8 or 16 bits",
            fix="replace the file or take it out of the corpus",
        ) from error


def picture_size(data: bytes, *, upright: bool = False) -> tuple[int, int]:
    """Return the width and height that :func:`decode_picture` gives, in less time.

    Raises:
        PictureError: if the bytes are not a whole picture.
    """
    with _opened(data) as image:
        width, height = image.size
        image.draft(None, _DRAFT)
        image.load()
        sideways = upright and _orientation(image) >= _FIRST_SIDEWAYS
        return (height, width) if sideways else (width, height)


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    if not data:
        raise PictureError("an empty file")
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.format == "EPS":  # a program, which Pillow has Ghostscript run
                raise PictureError("PostScript, which is not run")
            if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
                raise PictureError(f"pixels of mode {image.mode}, whose values have no range")
            yield image
    except _UNREADABLE as error:
        reason = "not a picture" if isinstance(error, UnidentifiedImageError) else error
        raise PictureError(f"{len(data)} bytes that do not decode ({reason})") from error


def _orientation(image: Image.Image) -> int:
    """Return EXIF's number of a loaded picture, 1 where there is none that can be read."""
    # Pillow turns a TIFF while it loads it, and takes the number away.
    try:
        number = image.getexif().get(ExifTags.Base.Orientation)
    except _UNREADABLE:
        return 1
    return number if number in _TURNS else 1


def _rgb(image: Image.Image) -> Picture:
    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        grey = (np.asarray(image).astype(np.uint32) + 128) // 257  # 65535 / 255 = 257
        return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def tile(pictures: Picture, columns: int) -> Picture:
    """Lay ``(N, H, W, 3)`` pictures out row by row on white, 2 pixels between neighbours.

    Args:
        pictures: the pictures, all of one size.
        columns: pictures per row.

    Returns:
        One picture, ``(rows * H + gaps, columns * W + gaps, 3)`` uint8.
    """
    count, height, width, _ = pictures.shape
    gap = 2
    rows = -(-count // columns)
    sheet = np.full(
        (rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, dtype=np.uint8
    )
    for index, picture in enumerate(pictures):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def encode_png(picture: Picture) -> bytes:
    """Encode one ``(H, W, 3)`` picture as PNG without any metadata."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=False, compress_level=6)
    return file.getvalue()


def save_png(path: Path, picture: Picture) -> None:
    """Write the PNG file of one ``(H, W, 3)`` picture."""
    write_whole(path, encode_png(picture))
