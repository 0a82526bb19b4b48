import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from s2igan.engine.pictures import decode_picture, save_png, tile
from s2igan.errors import UserError


def encoded(mode: str, fmt: str) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (5, 4), 255).save(buffer, fmt)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("mode", "fmt"), [("L", "PNG"), ("P", "PNG"), ("RGB", "JPEG"), ("CMYK", "JPEG")]
)
def test_every_kind_of_picture_becomes_rgb(mode: str, fmt: str) -> None:
    picture = decode_picture(encoded(mode, fmt), "x")
    assert picture.shape == (4, 5, 3)
    assert picture.dtype == np.uint8


@pytest.mark.parametrize("data", [b"", b"no picture", encoded("RGB", "PNG")[:40]])
def test_a_broken_picture_is_named(data: bytes) -> None:
    with pytest.raises(UserError, match=r"picture 'image_7\.jpg'"):
        decode_picture(data, "image_7.jpg")


def test_tiles_lie_row_by_row_on_white() -> None:
    pictures = np.stack([np.full((2, 2, 3), value, np.uint8) for value in (10, 20, 30)])
    sheet = tile(pictures, columns=2, gap=1)
    assert sheet[..., 0].tolist() == [
        [10, 10, 255, 20, 20],
        [10, 10, 255, 20, 20],
        [255, 255, 255, 255, 255],
        [30, 30, 255, 255, 255],
        [30, 30, 255, 255, 255],
    ]


def test_png_files_are_the_same_for_the_same_pixels(tmp_path: Path) -> None:
    picture = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    for name in ("a.png", "b.png"):
        save_png(tmp_path / name, picture)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture)
