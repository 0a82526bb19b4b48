import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, ExifTags, Image, ImageOps, features

from s2igan.corpora.spool import picture_problem
from s2igan.engine.pictures import decode_picture, picture_size, save_png, tile
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


@pytest.mark.parametrize("fmt", ["PNG", "TIFF", "PPM"])
def test_16_bits_become_8(fmt: str) -> None:
    values = np.array([[0, 128, 129, 257, 32768, 65406, 65407, 65535]], np.uint16)
    file = io.BytesIO()
    Image.fromarray(values).save(file, fmt)
    picture = decode_picture(file.getvalue(), "x")
    assert picture[0].tolist() == [[v] * 3 for v in (0, 0, 1, 1, 128, 254, 255, 255)]


@pytest.mark.parametrize("mode", ["F", "I"])
def test_values_without_a_range_are_refused(mode: str) -> None:
    with pytest.raises(UserError, match=f"got pixels of mode {mode}, whose values have no range"):
        decode_picture(encoded(mode, "TIFF"), "x")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_pillow_would_and_only_where_that_is_asked(orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8)
    file, note = io.BytesIO(), Image.Exif()
    note[ExifTags.Base.Orientation] = orientation
    Image.fromarray(pixels).save(file, "PNG", exif=note)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(file)))
    upright = decode_picture(file.getvalue(), "x", upright=True)
    np.testing.assert_array_equal(upright, expected)
    np.testing.assert_array_equal(decode_picture(file.getvalue(), "x"), pixels)
    assert picture_size(file.getvalue(), upright=True) == upright.shape[1::-1]


def damaged_avif() -> bytes:
    if "avif" not in features.get_supported_modules():
        pytest.skip("this Pillow reads no AVIF")
    data = bytearray(encoded("RGB", "AVIF"))
    data[-40:] = bytes(40)
    return bytes(data)


def bomb() -> bytes:
    """A picture of 1 Gpx, all of one colour."""
    rows = zlib.compress(bytes(2**15 // 8 + 1) * 16)
    size = struct.pack(">2I5B", 2**15, 2**15, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", size), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )


@pytest.mark.parametrize("make", [damaged_avif, bomb])
def test_whatever_pillow_raises_is_one_line(make: Callable[[], bytes]) -> None:
    with pytest.raises(UserError, match=r"picture 'x'; got \d+ bytes that do not decode") as caught:
        decode_picture(make(), "x")
    assert "\n" not in str(caught.value)
    assert str(picture_problem(make())) in str(caught.value)


@pytest.mark.parametrize("drawing", [b"0 0 50 40 rectfill", b"no_such_word"])
def test_postscript_is_refused_and_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawing: bytes
) -> None:
    program = tmp_path / "gs"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", str(program))
    data = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 90 80\n%%EndComments\n" + drawing
    assert picture_problem(data) == "PostScript, which is not run"
    with pytest.raises(UserError, match="picture 'bird'; got PostScript, which is not run;"):
        decode_picture(data, "bird")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("data", [b"", b"no picture", encoded("RGB", "PNG")[:40]])
def test_a_broken_picture_is_named(data: bytes) -> None:
    with pytest.raises(UserError, match=r"picture 'image_7\.jpg'"):
        decode_picture(data, "image_7.jpg")


def test_tiles_lie_row_by_row_on_white() -> None:
    pictures = np.stack([np.full((2, 2, 3), value, np.uint8) for value in (10, 20, 30)])
    sheet = tile(pictures, columns=2)
    assert sheet[..., 0].tolist() == [
        [10, 10, 255, 255, 20, 20],
        [10, 10, 255, 255, 20, 20],
        [255, 255, 255, 255, 255, 255],
        [255, 255, 255, 255, 255, 255],
        [30, 30, 255, 255, 255, 255],
        [30, 30, 255, 255, 255, 255],
    ]


def test_png_files_are_the_same_for_the_same_pixels(tmp_path: Path) -> None:
    picture = np.arange(27, dtype=np.uint8).reshape(3, 3, 3)
    for name in ("a.png", "b.png"):
        save_png(tmp_path / name, picture)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), picture)
