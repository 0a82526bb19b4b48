"""`params.yaml` and the presets, and what the loader says of a wrong one."""

import re
import shutil
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from pydantic import BaseModel

from s2igan.config import Params, check_material, combination_problems, read_params
from s2igan.corpora.index import write_corpus
from s2igan.engine.strict_yaml import read_yaml
from s2igan.errors import UserError
from s2igan.sen.conv_blstm import WIDTHS

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))]

Values = dict[str, Any]


def dotted(values: Values, prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{prefix}{key}"
        # Programs have the names that a file gives them.
        if isinstance(value, dict) and key != "programs":
            yield from dotted(value, f"{prefix}{key}.")


def load(path: Path) -> Values:
    values = read_yaml(path)
    assert isinstance(values, dict)
    return values


@pytest.fixture
def default() -> Values:
    return load(ROOT / "params.yaml")


def problem(tmp_path: Path, values: object) -> str:
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(UserError) as caught:
        read_params(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_of_parameters_is_valid_and_has_the_same_keys(path: Path) -> None:
    read_params(path)
    assert list(dotted(load(path))) == list(dotted(load(ROOT / "params.yaml")))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_key_is_commented(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    bare = [
        line
        for before, line in pairwise(lines)
        if re.match(r"\s*\w+:", line) and not before.lstrip().startswith("#")
    ]
    assert bare == []


# DVC puts a new list in the place of each old one, and with it goes the comment after a block list.
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_comment_outlives_a_setting_that_dvc_writes(path: Path, tmp_path: Path) -> None:
    hydra = pytest.importorskip("dvc.utils.hydra")
    written = tmp_path / "params.yaml"
    shutil.copy(path, written)
    hydra.apply_overrides(written, ["rdg.use_rs=false", "sen.channels=[8,8]"])
    assert load(written)["sen"]["channels"] == [8, 8]
    comments, left = (
        [line.strip() for line in file.read_text(encoding="utf-8").splitlines() if "#" in line]
        for file in (path, written)
    )
    assert left == comments


def test_all_wrong_keys_of_all_sections_are_told_at_once(tmp_path: Path, default: Values) -> None:
    default["rdg"]["use_rss"] = True
    default["sen"]["steps"] = "many"
    default["tts"]["sample_rate_hz"] = 10
    default["features"]["mel"]["bands"] = 40.0
    del default["embed"]["seed"]
    told = problem(tmp_path, default)
    assert "rdg.use_rss: unknown key; got True; expected one that the files in presets/" in told
    assert "sen.steps: got 'many'; expected a valid integer" in told
    assert "tts.sample_rate_hz: got 10; expected greater than or equal to 8000" in told
    assert "features.mel.bands: got 40.0; expected a valid integer" in told
    assert "embed.seed: got nothing; expected a value, as the files in presets/ have" in told


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("corpus.edition", "a b", "a name of letters, digits, ., _ and -, the first a letter or a"),
        ("corpus.edition", "..", "a name of letters, digits"),
        ("tts.voices", [], "at least 1 item |"),
        ("tts.voices", ["EN-US"], "a language such as en-us, alone or with + and one of m1, m2"),
        ("tts.voices", ["x/"], "a name after the slash"),
        ("tts.pitch", {"low": 35, "high": 0}, "low to be at most high"),
        ("tts.programs", {"a/b": "x {text} {file}"}, "a name of letters, digits, _ and -, before"),
        ("tts.programs", {"x": "x {text} {file} '"}, "a command line that can be read (No closing"),
        ("tts.tacotron2", 1, "a valid dictionary |"),
        ("features.backbones", ["Compact"], "one of compact, squeezenet1_1/keras, squ"),
        ("features.backbones", ["compact", "compact/pool"], "every backbone once"),
        ("features.backbones", ["reader"], "one of compact, squeezenet1_1/keras, squ"),
        ("features.backbones", ["inception_v3/fid2015/x"], "layers of inception_v3/fid2015, each"),
        ("evaluate.backbone", "fine_tuned", "another network, since fine_tuned serves the incep"),
    ],
)
def test_what_would_have_been_right_is_said_in_one_voice(
    tmp_path: Path, default: Values, key: str, value: object, expected: str
) -> None:
    section, name = key.split(".")
    default[section][name] = value
    default["sen"][1] = 2
    told = problem(tmp_path, default)
    assert re.search(rf"{key}\S*: got .*; expected {re.escape(expected)}", told)
    assert "sen.1: unknown key" in told


def test_a_missing_and_an_unknown_section_are_told(tmp_path: Path, default: Values) -> None:
    default["rgd"] = default.pop("rdg")
    told = problem(tmp_path, default)
    assert "rdg: got nothing" in told
    assert "rgd: unknown key" in told


def test_a_boolean_is_no_number_and_a_number_no_boolean(tmp_path: Path, default: Values) -> None:
    default["rdg"]["use_rs"] = 1
    default["rdg"]["steps"] = True
    told = problem(tmp_path, default)
    assert "rdg.use_rs: got 1; expected a valid boolean" in told
    assert "rdg.steps: got True; expected a valid integer" in told


def test_all_combinations_are_told_together(tmp_path: Path, default: Values) -> None:
    default["corpus"]["edition"] = "published"
    default["features"]["crop"] = default["features"]["shorter_side"] + 1
    default["sen"] |= {"matching_loss": False, "distinctive_loss": False}
    default["tts"]["engine"] = "recorded"
    default["tts"]["voices"] = ["flite/slt"]
    default["features"]["mel"]["window_ms"] = 5.0
    told = problem(tmp_path, default)
    for key in ("corpus.edition", "features.crop", "sen.matching_loss", "tts.engine", "window_ms"):
        assert f"{key}: got" in told
    assert "tts.voices: got 'flite/slt'" in told


def test_speech_that_sen_never_aligned_cannot_match_pictures(
    tmp_path: Path, default: Values
) -> None:
    default["rdg"] |= {"speech_encoder": "untrained", "matching_weight": 2.0}
    told = problem(tmp_path, default)
    assert "rdg.matching_weight: got 2.0 with rdg.speech_encoder 'untrained'" in told
    default["rdg"]["matching_weight"] = 0.0
    problems = combination_problems(Params.model_validate(default))
    assert problems == []


def test_sen_has_a_loss_to_learn_from(tmp_path: Path, default: Values) -> None:
    default["sen"] |= {"matching_loss": False, "distinctive_weight": 0.0}
    assert "sen.distinctive_weight: got 0.0 beside sen.matching_loss false" in problem(
        tmp_path, default
    )
    default["sen"]["matching_loss"] = True
    assert combination_problems(Params.model_validate(default)) == []


def test_numbers_that_would_stop_a_later_stage_are_told(tmp_path: Path, default: Values) -> None:
    default["sen"]["seed"] = 2**64
    default["evaluate"]["seed"] = 2**32
    default["rdg"]["betas"] = [1.0, -0.1]
    default["sample"]["truncation"] = 1e-9
    default["evaluate"]["training_pictures"] = 1
    told = problem(tmp_path, default)
    for key in ("sen.seed", "evaluate.seed", "rdg.betas.0", "rdg.betas.1", "sample.truncation"):
        assert f"{key}: got" in told
    assert "evaluate.training_pictures: got 1; expected greater than or equal to 2" in told


def test_a_crop_has_the_pixels_of_the_last_scale(tmp_path: Path, default: Values) -> None:
    sides = {"crop": 4 * default["rdg"]["base_size"] - 1}
    default["rdg"] |= sides
    default["evaluate"] |= sides
    told = problem(tmp_path, default)
    assert f"rdg.crop: got {sides['crop']}; expected at least {sides['crop'] + 1}" in told


@pytest.mark.parametrize(
    ("key", "value"), [("time_masks", 1), ("band_masks", 1), ("frame_noise", 0.5)]
)
def test_masks_and_noise_need_normalised_bands(
    tmp_path: Path, default: Values, key: str, value: float
) -> None:
    default["features"]["mel"]["normalise"] = "none"
    default["sen"] |= {"time_masks": 0, "band_masks": 0, "frame_noise": 0.0}
    assert combination_problems(Params.model_validate(default)) == []
    default["sen"][key] = value
    told = problem(tmp_path, default)
    assert (
        f"features.mel.normalise: got 'none' with sen.time_masks {int(key == 'time_masks')}" in told
    )


def test_what_the_corpus_lacks_is_told(tmp_path: Path, default: Values) -> None:
    default["corpus"]["val_classes"] = 0
    default["sample"]["split"] = "val"
    default["evaluate"]["queries"] = "authors"
    told = problem(tmp_path, default)
    assert "sample.split: got 'val' with corpus.val_classes 0" in told
    assert "evaluate.queries: got 'authors' with corpus.kind 'minibirds'" in told


def test_choosing_on_validation_classes_needs_some(tmp_path: Path, default: Values) -> None:
    default["sen"]["keep"] = "best_val"
    default["corpus"]["val_classes"] = 0
    assert "sen.keep: got 'best_val' with corpus.val_classes 0" in problem(tmp_path, default)


def test_a_conv_blstm_has_so_many_widths_and_no_more(tmp_path: Path, default: Values) -> None:
    default["sen"] |= {"encoder": "conv_blstm", "channels": [8] * WIDTHS}
    assert combination_problems(Params.model_validate(default)) == []
    default["sen"]["channels"] += [8]
    told = problem(tmp_path, default)
    assert f"sen.channels: got {WIDTHS + 1} widths with sen.encoder 'conv_blstm'" in told
    assert f"expected at most {WIDTHS}" in told


@pytest.mark.parametrize("content", ["", "[1, 2]", "just words"])
def test_a_file_that_is_no_mapping_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(content)
    with pytest.raises(UserError, match="expected"):
        read_params(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file"):
        read_params(tmp_path / "params.yaml")


def test_floats_that_experiments_write_are_floats(tmp_path: Path) -> None:
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    path.write_text(re.sub(r"(?m)^  lr_g: .*$", "  lr_g: 1e-05", text))
    assert read_params(path).rdg.lr_g == 1e-05


def test_parameters_cannot_be_changed() -> None:
    params = read_params(ROOT / "params.yaml")
    with pytest.raises(ValueError, match="frozen"):
        params.rdg.steps = 1  # type: ignore[misc]


def leaves(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from leaves(inner)
        else:
            yield name


def test_every_key_is_read_somewhere() -> None:
    sources = [
        path.read_text(encoding="utf-8")
        for folder in ("s2igan", "stages")
        for path in (ROOT / folder).rglob("*.py")
        if path.name != "config.py"
    ]
    unread = [
        name
        for name in leaves(Params)
        if not any(re.search(rf"\.{name}\b", source) for source in sources)
    ]
    assert unread == []


@pytest.mark.parametrize(
    ("info", "changes", "told"),
    [
        ({}, {}, None),
        (
            {},
            {"kid_subset_size": 11, "neighbourhood": 9},
            r"kid_subset_size; got 11; .*\(10 pictures in half of the split test\); lower it or "
            r"add test pictures or, where the split is drawn, raise corpus\.test_share$",
        ),
        (
            {},
            {"neighbourhood": 10, "is_splits": 11},
            r"neighbourhood and evaluate\.is_splits; got 10 and 11; .*\); lower them or add",
        ),
        (
            {},
            {"training_pictures": 9},
            r"kid_subset_size.*\(9 pictures of evaluate\.training_pictures\); lower it or raise "
            r"evaluate\.training_pictures$",
        ),
        (
            {"train": 8},
            {"training_pictures": 9},
            r"\(8 pictures of the split train\); .*or add tra",
        ),
        (
            {"reference": 30, "floor": 9},
            {},
            r"kid_subset_size.*\(9 pictures of the split reference or floor\); lower it or raise "
            r"corpus\.minibirds\.reference_drawings$",
        ),
        ({"reference": 30, "floor": 10}, {}, None),
        ({}, {"split": "val"}, r"sample\.split; got 'val'; expected a split of the corpus: train"),
        ({"val": 8}, {"split": "val"}, None),
        (
            {"val": 6},
            {"split": "val"},
            r"neighbourhood and evaluate\.is_splits.*\(3 pictures in half of the split val\); "
            r"lower them or add val pictures or, where the split is drawn, raise "
            r"corpus\.val_classes$",
        ),
        ({}, {"is_splits": 6}, r"is_splits; got 6.*\(10 pictures in half"),
        # No value is low enough.
        (
            {"test": 3},
            {},
            r"\(1 picture in half of the split test\); add test pictures or,",
        ),
        ({"reference": 30, "floor": 30}, {"kid_subset_size": 21}, None),
        (
            {"reference": 30, "floor": 30},
            {"kid_subset_size": 21, "captions_per_picture": 1},
            r"kid_subset_size; got 21.*\(20 pictures drawn of captions\); lower it or raise "
            r"sample\.captions_per_picture or add test pictures$",
        ),
        ({"has_classes": False}, {"views": 1}, r"features\.views; got 1; expected at least 2"),
        ({"has_classes": False}, {"views": 1, "use_rs": False}, None),
        ({}, {"views": 1}, None),
        ({}, {"keep": "best_val"}, r"sen\.keep best_val; got fewer than 2 validation classes"),
        (
            {"val": 2},
            {"keep": "best_val"},
            r"sen\.keep best_val; .*raise corpus\.val_classes, list",
        ),
        ({"val": 4}, {"keep": "best_val"}, None),
        ({"val": 2, "has_classes": False}, {"keep": "best_val"}, None),
        ({"val": 1, "has_classes": False}, {"keep": "best_val"}, "fewer than 2 validation pictu"),
        ({"has_classes": False}, {"matching_loss": False}, r"sen\.matching_loss; got false, on a"),
        ({"has_classes": False}, {"objective": "teacher_student", "matching_loss": False}, None),
        (
            {"train": 2},
            {},
            r"classes of the split train; got 1; expected at least 2; lower corpus\.val_classes",
        ),
        ({"without_text": 7}, {"encoder": "char_cnn_rnn"}, "got 7 of 600 descriptions without te"),
        ({"without_text": 7}, {"encoder": "conv_blstm"}, None),
        ({}, {"encoder": "char_cnn_rnn"}, None),
    ],
)
def test_what_later_stages_would_miss_in_a_corpus_is_told_at_once(
    tmp_path: Path, default: Values, info: Values, changes: Values, told: str | None
) -> None:
    write_pictures(tmp_path, **{"train": 40, "test": 20, **info})
    default["evaluate"] |= {"kid_subset_size": 10, "is_splits": 2, "neighbourhood": 3}
    for key, value in changes.items():
        next(section for section in default.values() if key in section)[key] = value
    params = Params.model_validate(default)
    with pytest.raises(UserError, match=told) if told else nullcontext():
        check_material(params, tmp_path)


def write_pictures(
    folder: Path, *, has_classes: bool = True, without_text: int = 0, **images: int
) -> None:
    """So many pictures of each split, two to a class, each with ten descriptions."""
    splits = [split for split, count in images.items() for _ in range(count)]
    rows = range(len(splits))
    classes = [row // 2 if has_classes else row for row in rows]
    texts = [None if row < without_text else "a bird" for row in range(10 * len(splits))]
    write_corpus(
        folder,
        pd.DataFrame({"name": map(str, rows), "class_id": classes, "split": splits}),
        [b""] * len(splits),
        pd.DataFrame({"image": np.repeat(rows, 10), "text": texts, "role": "caption"}),
        info={"kind": "recorded", "edition": "of a test", "has_classes": has_classes},
    )
