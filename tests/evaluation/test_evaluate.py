import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from s2igan.engine.arrays import write_array
from s2igan.engine.pictures import Picture
from s2igan.engine.session import plain_session
from s2igan.engine.showcase import values_of
from s2igan.engine.tables import write_json
from s2igan.engine.tracking import Tracker
from s2igan.errors import UserError
from s2igan.evaluation import evaluate as stage
from s2igan.evaluation.config import EvaluateConfig
from s2igan.evaluation.fidelity import frechet_distance
from s2igan.evaluation.judge import Judge, Rows, Seen, Source
from s2igan.evaluation.material import Judged, Material
from s2igan.sen.artifact import IMAGE_WEIGHTS, SPEECH_WEIGHTS
from s2igan.sen.origin import write_origin
from s2igan.vision.interface import CLASSES, BackboneOutput
from tests.evaluation.world import (
    DRAWING,
    SIZE,
    PlantedBackbone,
    World,
    embed_truth,
    full,
    settings,
)

JUDGE, FIDELITY = "judge: planted, 50 features", "fidelity: other, 50 features"


class Notebook(Tracker):
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self.pictures: list[str] = []

    def summary(self, values: Mapping[str, float]) -> None:
        self.values.update(values)

    def picture(self, key: str, picture: Picture, step: int | None = None) -> None:
        assert step is None
        assert picture.dtype == np.uint8
        self.pictures.append(key)


def evaluate(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    out: Path,
    config: EvaluateConfig | None = None,
    *,
    reads: bool = True,
) -> tuple[dict[str, Any], Notebook, PlantedBackbone]:
    backbone = PlantedBackbone(reads=reads)
    monkeypatch.setattr(stage, "load_judge", lambda *_: backbone)
    monkeypatch.setattr(stage, "load_image_embedding", lambda *_: embed_truth)
    notebook = Notebook()
    return run_stage(world, out, config or settings(), notebook), notebook, backbone


def run_stage(
    world: World, out: Path, config: EvaluateConfig, tracker: Tracker | None = None
) -> dict[str, Any]:
    stage.evaluate(
        config,
        corpus=world.folder / "corpus",
        features=world.folder / "features",
        embeddings=world.folder / "embeddings",
        samples=world.folder / "samples",
        sen=world.folder / "sen",
        weights=world.folder,
        metrics=out / "metrics" / "generation.json",
        classes=out / "metrics" / "classes.tsv",
        plots=out / "plots",
        session=replace(plain_session(), tracker=tracker or Tracker()),
    )
    figures: dict[str, Any] = json.loads((out / "metrics" / "generation.json").read_text())
    return figures


def test_every_network_looks_as_precisely_and_at_as_many_as_the_parameters_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking: list[tuple[str, str, int]] = []

    class Noted(Judge):
        def see(self, source: Source, rows: Rows, what: str) -> Seen:
            looking.append((self.role, self.precision, self.batch_size))
            return super().see(source, rows, what)

    monkeypatch.setattr(stage, "Judge", Noted)
    monkeypatch.setattr(stage, "load_judge", lambda *_: PlantedBackbone())
    monkeypatch.setattr(stage, "load_image_embedding", lambda *_: embed_truth)
    world = full(tmp_path)
    world.write()
    others = {"fidelity_backbone": "compact", "is_backbone": "torch_fidelity"}
    run_stage(world, tmp_path, settings(precision="bfloat16", batch_size=5, **others))
    roles = ("judge", "fidelity", "inception score")
    assert set(looking) == {(role, "bfloat16", 5) for role in roles}


def swapped(folder: Path) -> World:
    world = full(folder)
    for utterance in world.captions()[:2]:
        changed = world.swap(utterance, "belly", "grey")
        world.sample("swap_original", utterance, world.truth(utterance))
        world.samples.append({**world.samples[-1], "set": "swap_changed", "utterance": changed})
        world.drawn.append(world.truth(utterance))
    order = sorted(range(len(world.samples)), key=lambda row: world.samples[row]["set"])
    world.samples = [world.samples[row] for row in order]
    world.drawn = [world.drawn[row] for row in order]
    return world


def real_pictures(world: World) -> int:
    """Real pictures that take part where test captions were drawn."""
    return sum(row["split"] != "val" for row in world.images)


def test_figures_and_grids_are_written_shown_and_the_same_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = swapped(tmp_path)
    world.write()
    figures, notebook, backbone = evaluate(world, monkeypatch, tmp_path / "first")
    assert list(figures) == [
        "fidelity",
        "consistency",
        "r_precision",
        "keywords",
        "swap",
        "diversity",
        "controls",
    ]
    assert notebook.pictures == ["samples_grid", "samples_row", "swap_grid"]
    assert notebook.values.keys() == dict(values_of(figures)).keys()
    assert notebook.values["keywords/generated/all"] == 1.0
    # Every picture is looked at once.
    assert backbone.pictures == real_pictures(world) + len(world.samples)
    evaluate(world, monkeypatch, tmp_path / "second")
    for name in (
        "metrics/generation.json",
        "metrics/classes.tsv",
        "plots/samples_grid.png",
        "plots/samples_row.png",
        "plots/swap_grid.png",
    ):
        first, second = tmp_path / "first" / name, tmp_path / "second" / name
        assert first.read_bytes() == second.read_bytes()


def test_every_figure_tells_judge_preprocessing_edition_and_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = swapped(tmp_path)
    world.write()
    figures, _, _ = evaluate(world, monkeypatch, tmp_path / "out")

    def check(group: dict[str, Any]) -> int:
        if "absent" in group:
            return 0
        if "value" not in group:
            return sum(map(check, group.values()))
        protocol = group["protocol"]
        assert any("planted, 50 features" in line for line in protocol)
        assert any("16-px pictures" in line for line in protocol)
        assert "corpus planted, edition test" in protocol
        assert any(character.isdigit() for character in protocol[0] + protocol[1])
        return 1

    assert check(figures) > 50


def test_without_attributes_and_text_what_needs_them_is_absent_with_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path, attributes=False, text=False, fresh=False)
    world.write()
    config = settings(kid_subset_size=6)
    figures, _, _ = evaluate(world, monkeypatch, tmp_path / "out", config, reads=False)
    for group in (figures["keywords"], figures["swap"], figures["controls"]["real"]["keywords"]):
        assert group == {"absent": ["the corpus names no attributes of its pictures"]}
    assert list(figures["fidelity"]["generated"]["IS"]) == ["absent"]
    assert "value" in figures["fidelity"]["generated"]["FID"]
    floor = figures["fidelity"]["floor"]["FID"]["protocol"][0]
    assert floor.startswith("6 real pictures against 6 others: the two halves")
    assert "value" in figures["consistency"]["all_pairs"]["mAP"]


def test_a_judge_without_logits_reads_no_keywords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path)
    world.write()
    figures, _, _ = evaluate(world, monkeypatch, tmp_path / "out", reads=False)
    assert figures["keywords"]["absent"][0].endswith("reads no attributes")


class Photographer(PlantedBackbone):
    """Has one softmax over two classes, as an ImageNet network has one over all of its own."""

    def look(self, images: torch.Tensor) -> BackboneOutput:
        features = super().look(images).features
        return BackboneOutput(10 * features, {CLASSES: features[:, :2]})


def photographer_beside_the_reader(monkeypatch: pytest.MonkeyPatch) -> Photographer:
    """Let the stage load one as ``torch_fidelity/768``, and return it."""
    photographer = Photographer(name="other")
    networks = {"reader": PlantedBackbone(), "torch_fidelity/768": photographer}
    monkeypatch.setattr(stage, "load_judge", lambda name, _: networks[name])
    return photographer


def test_a_network_of_its_own_takes_fidelity_and_looks_at_what_is_compared_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = swapped(tmp_path)
    world.write()
    photographer = photographer_beside_the_reader(monkeypatch)
    config = settings(fidelity_backbone="torch_fidelity/768")
    figures = run_stage(world, tmp_path / "two", config)
    alone = run_stage(world, tmp_path / "one", settings())

    splits = [row["split"] for row in world.images]
    sets = [row["set"] for row in world.samples]
    compared = sum(split in ("train", "reference", "floor") for split in splits)
    compared += sum(name in ("test", "mismatched") for name in sets)
    assert photographer.pictures == compared < len(splits) + len(sets)

    assert FIDELITY in figures["fidelity"]["generated"]["IS"]["protocol"]
    assert figures["fidelity"]["generated"]["IS"]["protocol"][1].startswith(
        "softmax over all 2 classes"
    )
    distances = [
        (group["FID"], other["FID"])
        for name in ("fidelity", "controls")
        for group, other in zip(figures[name].values(), alone[name].values(), strict=True)
    ]
    assert len(distances) == 7
    for distance, by_judge in distances:
        assert FIDELITY in distance["protocol"]
        assert distance["value"] == pytest.approx(100 * by_judge["value"], rel=1e-3, abs=1e-3)
    for name in ("consistency", "keywords", "swap", "diversity"):
        assert figures[name] == alone[name]
    for row in figures["controls"]:
        assert figures["controls"][row]["mAP"] == alone["controls"][row]["mAP"]


def test_no_more_training_pictures_are_looked_at_than_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path)
    world.write()
    training = sum(row["split"] == "train" for row in world.images)
    few = settings(training_pictures=training - 2)
    figures, _, backbone = evaluate(world, monkeypatch, tmp_path / "few", few)
    assert backbone.pictures == real_pictures(world) - 2 + len(world.samples)
    assert f"{training - 2} training" in " ".join(
        figures["fidelity"]["species_shift"]["FID"]["protocol"]
    )
    assert f"of {training - 2} training pictures" in " ".join(
        figures["controls"]["retrieved_training_pictures"]["FID"]["protocol"]
    )
    all_of_them, *_ = evaluate(world, monkeypatch, tmp_path / "all")
    for name in ("consistency", "keywords"):
        assert figures[name] == all_of_them[name]


def test_the_seed_draws_the_training_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path)
    world.write()
    folders = (tmp_path / "corpus", tmp_path / "features", tmp_path / "samples")
    materials = [Material(*folders, SIZE, training_pictures=4, seed=seed) for seed in range(4)]
    assert len({tuple(material.training.tolist()) for material in materials}) > 1
    few = settings(training_pictures=4, kid_subset_size=4, seed=3)
    figures, _, _ = evaluate(world, monkeypatch, tmp_path / "out", few)
    judged = Judged.of(materials[3], Judge(PlantedBackbone(), torch.device("cpu")))
    training, reference = materials[3].training, materials[3].image_rows("reference")
    shift = frechet_distance(judged.real.take(training), judged.real.take(reference))
    assert figures["fidelity"]["species_shift"]["FID"]["value"] == pytest.approx(shift, rel=1e-5)


def test_the_judge_may_take_the_inception_score_beside_another_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path)
    world.write()
    photographer_beside_the_reader(monkeypatch)
    config = settings(fidelity_backbone="torch_fidelity/768", is_backbone="reader")
    generated = run_stage(world, tmp_path / "out", config)["fidelity"]["generated"]
    assert "inception score: planted, 50 features" in generated["IS"]["protocol"]
    assert FIDELITY in generated["FID"]["protocol"]


def test_naming_the_judge_itself_looks_no_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path)
    world.write()
    same = settings(fidelity_backbone="reader")
    figures, _, backbone = evaluate(world, monkeypatch, tmp_path / "out", same)
    assert backbone.pictures == real_pictures(world) + len(world.samples)
    assert JUDGE in figures["fidelity"]["generated"]["FID"]["protocol"]


def test_batch_size_changes_no_figure(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    material = world.material()
    seen = [
        Judged.of(material, Judge(PlantedBackbone(), torch.device("cpu"), batch_size=size))
        for size in (1, 7, 1000)
    ]
    for other in seen[1:]:
        np.testing.assert_allclose(other.real.seen.features, seen[0].real.seen.features, atol=1e-6)
        np.testing.assert_array_equal(other.drawn.readings(), seen[0].drawn.readings())


def test_real_pictures_are_centre_crops_averaged_to_the_drawn_size(tmp_path: Path) -> None:
    world = full(tmp_path)
    world.write()
    folders = (tmp_path / "corpus", tmp_path / "features", tmp_path / "samples")
    rows = np.array([0, 5])
    whole = Material(*folders, crop=SIZE + 4).real(rows)
    assert whole.shape == (2, SIZE, SIZE, 3)
    exact = Material(*folders, crop=SIZE).real(rows)
    packed = np.load(tmp_path / "features" / "pixels.npy").reshape(-1, SIZE + 4, SIZE + 4, 3)
    np.testing.assert_array_equal(exact, packed[rows, 2:-2, 2:-2])
    ends = [(SIZE + 4) * place / SIZE for place in range(SIZE + 1)]
    averages = np.zeros((SIZE, SIZE + 4))
    for place, (start, end) in enumerate(pairwise(ends)):
        averages[place, math.floor(start) : math.ceil(end)] = 1
    averages /= averages.sum(axis=1, keepdims=True)
    expected = np.einsum("ih,nhwc,jw->nijc", averages, packed[rows], averages)
    assert np.abs(whole - expected).max() < 0.501


@pytest.mark.parametrize(
    ("told", "drawn", "said"),
    [
        (2, slice(None), "24 pictures drawn for test classes, 2 captions per picture"),
        (99, slice(None), "24 pictures drawn for test classes, 2 captions per picture"),
        (99, slice(3), "3 pictures drawn for test classes, at most 2 captions per picture"),
        (1, slice(0, 24, 2), "12 pictures drawn for test classes, 1 caption per picture"),
    ],
)
def test_protocols_quote_the_captions_that_there_were_to_draw(
    told: int, drawn: slice, said: str, tmp_path: Path
) -> None:
    world = World(tmp_path, drawing={**DRAWING, "captions_per_picture": told})
    for utterance in world.captions()[drawn]:
        world.sample("test", utterance, world.truth(utterance))
    world.write()
    assert world.material().protocol[0].startswith(f"{said}, ")


def fewer_pictures(samples: Path) -> None:
    images = np.load(samples / "images.npy")
    np.save(samples / "images.npy", images[:-1])


def torn_pictures(samples: Path) -> None:
    whole = (samples / "images.npy").read_bytes()
    (samples / "images.npy").write_bytes(whole[:-9])


def fewer_captions_told(samples: Path) -> None:
    write_json(samples / "samples.json", {**DRAWING, "captions_per_picture": 1})


def rows(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], None]:
    def changed(samples: Path) -> None:
        path = samples / "samples.parquet"
        change(pd.read_parquet(path)).to_parquet(path)

    return changed


@pytest.mark.parametrize(
    ("damage", "got"),
    [
        (fewer_pictures, r"\d+ pictures for the \d+ rows of their table"),
        (torn_pictures, r"packed array '.*images\.npy'; got \d+ bytes"),
        (rows(lambda t: t.drop(columns="target")), "no column 'target'"),
        (
            rows(lambda t: t.assign(utterance=t["utterance"].astype(str))),
            r"utterance '\d+' in row 0",
        ),
        (rows(lambda t: t.assign(target=10**6)), "target 1000000 in row 0"),
        (rows(lambda t: t.assign(target=0)), "target 0 in row 0 of their table, which is no capt"),
        (rows(lambda t: t.assign(set="Test")), "no picture of the set 'test', but of 'Test'"),
        (fewer_captions_told, "captions_per_picture 1, but at most 2 of a picture in their table"),
        (
            rows(
                lambda t: t.assign(target=t["target"] // 2 * 2)
            ),  # the first of each picture's two
            "captions_per_picture 2, but at most 1 of a picture in their table",
        ),
    ],
)
def test_samples_that_do_not_fit_are_refused_in_words_for_whoever_drew_them(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    damage: Callable[[Path], None],
    got: str,
) -> None:
    world = full(tmp_path)
    world.write()
    damage(tmp_path / "samples")
    with pytest.raises(UserError, match=r"got .*dvc repro sample.*docs/python\.md") as caught:
        evaluate(world, monkeypatch, tmp_path / "out")
    assert re.search(got, str(caught.value))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [SPEECH_WEIGHTS, IMAGE_WEIGHTS])
def test_embeddings_by_another_sen_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    world = full(tmp_path)
    world.write()
    sen = world.folder / "sen"
    sen.mkdir()
    for weights in (SPEECH_WEIGHTS, IMAGE_WEIGHTS):
        (sen / weights).write_bytes(b"learnt")
    write_origin(world.folder / "embeddings", sen)
    evaluate(world, monkeypatch, tmp_path / "first")
    (sen / name).write_bytes(b"learnt again")
    with pytest.raises(UserError, match=rf"other weights than those of '{sen / name}'.*embed`$"):
        evaluate(world, monkeypatch, tmp_path / "second")
    assert not (tmp_path / "second").exists()


@pytest.mark.parametrize("name", ["speech.npy", "image.npy"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_embeddings_that_are_no_numbers_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: float
) -> None:
    world = full(tmp_path)
    world.write()
    path = world.folder / "embeddings" / name
    values = np.load(path)
    values.flat[-1] = value
    write_array(path, values)
    with pytest.raises(UserError, match=rf"embeddings '{path}'; got some not finite; "):
        evaluate(world, monkeypatch, tmp_path / "figures")


def test_a_later_process_of_a_launch_looks_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = full(tmp_path)
    world.write()
    looked: list[str] = []
    see = Judge.see

    def watched(judge: Judge, source: Source, rows: Rows, what: str) -> Seen:
        looked.append(what)
        return see(judge, source, rows, what)

    monkeypatch.setattr(stage, "is_first", lambda: False)
    monkeypatch.setattr(Judge, "see", watched)
    with pytest.raises(FileNotFoundError, match=r"generation\.json"):
        evaluate(world, monkeypatch, tmp_path / "out")
    assert looked
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (np.float32, (SIZE, SIZE, 3)),
        (np.uint8, (3, SIZE, SIZE)),
        (np.uint8, (0, 0, 3)),
        (np.uint8, ()),
    ],
)
def test_pictures_in_another_form_are_refused(
    kind: type, shape: tuple[int, ...], tmp_path: Path
) -> None:
    world = full(tmp_path)
    world.write()
    write_array(tmp_path / "samples" / "images.npy", np.zeros((len(world.samples), *shape), kind))
    with pytest.raises(UserError, match=r"images\.npy.*not \(n, S, S, 3\) of uint8"):
        world.material()
