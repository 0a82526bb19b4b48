import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from s2igan.errors import UserError
from s2igan.evaluation.drawing import Drawing
from tests.evaluation.world import DRAWING


def told(folder: Path, **changes: Any) -> str:
    (folder / "samples.json").write_text(json.dumps({**DRAWING, **changes}))
    captions = np.array([changes.get("captions_per_picture", 2)])
    return Drawing.read(folder).sentence(240, captions, "classes")


def test_protocols_say_how_pictures_were_drawn(tmp_path: Path) -> None:
    assert told(tmp_path) == (
        "240 pictures drawn for test classes, 2 captions per picture, a noise vector for each "
        "caption, F_ca sampled, noise not truncated"
    )
    assert told(
        tmp_path,
        split="val",
        noise="per_picture",
        ca_noise=False,
        truncation=1.5,
        captions_per_picture=1,
    ) == (
        "240 pictures drawn for val classes, 1 caption per picture, one noise vector for all "
        "captions of a picture, F_ca at its mean, noise truncated at 1.5 standard deviations"
    )


def test_protocols_name_another_model_and_say_nothing_of_our_noise(tmp_path: Path) -> None:
    drawing = {"split": "val", "captions_per_picture": 3, "by": "StackGAN, 2017"}
    (tmp_path / "samples.json").write_text(json.dumps(drawing))
    read = Drawing.read(tmp_path)
    assert read.by == "StackGAN, 2017"
    assert read.sentence(7, np.array([3, 1, 3]), "pictures") == (
        "7 pictures drawn for val pictures, at most 3 captions per picture"
    )


OTHERS = '{"split": "test", "captions_per_picture": 1, "by": "StackGAN", "ca_noise": true}'


STRANGE = {
    "by": '{"split": "test", "captions_per_picture": 1, "by": null}',
    "captions_per_picture": '{"split": "test", "captions_per_picture": "10", "by": "StackGAN"}',
    "split": '{"split": ["test"], "captions_per_picture": 10, "by": "StackGAN"}',
    "noise": json.dumps(DRAWING | {"noise": "mine"}),
    "truncation": json.dumps(DRAWING | {"truncation": "0.8"}),
}


@pytest.mark.parametrize("key", STRANGE)
def test_what_means_nothing_is_named(key: str, tmp_path: Path) -> None:
    (tmp_path / "samples.json").write_text(STRANGE[key])
    with pytest.raises(UserError, match=rf"samples\.json': {key}: got .*; expected .*; run"):
        Drawing.read(tmp_path)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"split": "test"}', '{"by": "x"}', OTHERS])
def test_samples_that_do_not_say_it_are_refused(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "samples.json").write_text(content)
    with pytest.raises(UserError, match=r"samples\.json.*dvc repro sample"):
        Drawing.read(tmp_path)
