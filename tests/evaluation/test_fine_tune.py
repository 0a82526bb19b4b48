"""The command that fine-tunes a network on the test classes."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from s2igan.corpora.fine_tuning import read_fine_tuning
from s2igan.corpora.index import Corpus
from s2igan.engine.pictures import Picture
from s2igan.engine.shortage import DISK_FULL
from s2igan.errors import EXIT_USER_ERROR, UserError
from s2igan.evaluation import fine_tune as command_module
from s2igan.evaluation.class_training import (
    Classifier,
    Descent,
    Recipe,
    accuracy_of,
    train_all,
    train_head,
    view_features,
)
from s2igan.evaluation.fine_tune import main
from s2igan.evaluation.fine_tuned import load_fine_tuned
from s2igan.evaluation.labelled import Rows, hold_out, open_pictures
from s2igan.vision.backbones import load_backbone
from s2igan.vision.interface import CLASSES, Backbone, BackboneOutput
from s2igan.vision.pixels import PackedPixels
from tests.evaluation.colours import COLOURS, KIND, PER_CLASS, write_colours

FILE = f"fine_tuned_{KIND}.safetensors"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    write_colours(folder)
    return folder


def command(folder: Path, out: Path, *others: str) -> int:
    places = [f"--corpus={folder / 'corpus'}", f"--features={folder / 'features'}"]
    size = ["--steps=60", "--batch=16", "--lr=0.02"]
    names = [f"--weights={folder}", f"--out={out}", "--backbone=compact"]
    return main([*places, *size, *names, *others])


def test_separable_classes_are_told_apart_and_the_file_says_so(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "archives" / "weights" / FILE  # in folders that are not there yet
    assert command(folder, out) == 0
    facts = read_fine_tuning(out, KIND)
    assert facts.accuracy == 1.0
    assert facts.classes == list(COLOURS)
    assert (facts.pictures, facts.held_out) == (4 * (PER_CLASS - 1), 4)
    assert (facts.backbone, facts.layers, facts.split) == ("compact", "head", "test")
    assert (facts.crop, facts.size) == (17, 17)  # 256 / 304 of 20 px
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .startswith(f"{str(out)!r}: 1.000 of 4 held-out pictures of 4 classes told right")
    )


@pytest.mark.parametrize("layers", ["head", "all"])
def test_the_same_command_gives_the_same_bytes(folder: Path, tmp_path: Path, layers: str) -> None:
    written = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        others = [f"--layers={layers}", "--steps=3", "--views=1"]
        assert command(folder, tmp_path / name / FILE, *others) == 0
        written.append((tmp_path / name / FILE).read_bytes())
        assert [path.name for path in (tmp_path / name).iterdir()] == [FILE]
    assert written[0] == written[1]
    assert str(tmp_path).encode() not in written[0]


def test_all_layers_learn_and_are_loaded_again(folder: Path, tmp_path: Path) -> None:
    corpus = Corpus(folder / "corpus")
    assert command(folder, tmp_path / FILE, "--layers=all", "--steps=12", "--lr=0.002") == 0
    tuned, plain = load_fine_tuned(tmp_path, corpus), load_backbone("compact", tmp_path)
    changed = {
        name.split(".")[1]
        for name, value in plain.named_parameters()
        if not torch.equal(value, tuned.base.get_parameter(name))
    }
    assert changed == {"stem", "same1", "down", "same2", "top"}
    facts = read_fine_tuning(tmp_path / FILE, KIND)
    pictures = open_pictures(corpus, folder / "features", None, None)
    _, held_out = hold_out(pictures, facts.seed)
    logits = tuned(held_out.squares(None)).logits
    assert logits is not None
    told = logits[CLASSES].argmax(dim=1).numpy()
    assert facts.accuracy == (told == held_out.labels).mean() == 1.0


def test_a_tenth_of_each_class_is_held_out_by_seed(folder: Path) -> None:
    corpus = Corpus(folder / "corpus")
    pictures = open_pictures(corpus, folder / "features", None, None)
    assert set(corpus.images["split"].to_numpy()[pictures.rows]) == {"test"}
    learnt, held_out = hold_out(pictures, 1)
    assert np.bincount(held_out.labels).tolist() == [1] * 4
    assert sorted([*learnt.rows, *held_out.rows]) == pictures.rows.tolist()
    names = corpus.images["class_name"].to_numpy()[held_out.rows]
    assert [list(COLOURS)[label] for label in held_out.labels] == names.tolist()
    others = {tuple(hold_out(pictures, seed)[1].rows) for seed in range(5)}
    assert len(others) > 1


def test_what_is_held_out_is_not_learnt(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops, learnt = PackedPixels.crops, set()

    def noted(pixels: PackedPixels, rows: Rows, size: int, rng: Any) -> Picture:
        if rng is not None:  # what is learnt is cut at random
            learnt.update(rows.tolist())
        return crops(pixels, rows, size, rng)

    monkeypatch.setattr(PackedPixels, "crops", noted)
    assert command(folder, tmp_path / FILE, "--layers=all", "--steps=20", "--views=1") == 0
    pictures = open_pictures(Corpus(folder / "corpus"), folder / "features", None, None)
    _, held_out = hold_out(pictures, Recipe.seed)
    assert learnt == set(pictures.rows.tolist()) - set(held_out.rows.tolist())


def test_pictures_are_shown_at_the_generated_size(folder: Path) -> None:
    corpus = Corpus(folder / "corpus")
    small = open_pictures(corpus, folder / "features", 16, 8)
    squares, whole = small.squares(None), open_pictures(corpus, folder / "features", 16, None)
    assert squares.shape == (len(small), 3, 8, 8)
    levels = nn.functional.avg_pool2d(255 * whole.squares(None), 2).round()
    torch.testing.assert_close(squares, levels / 255)


class Flat(Backbone):
    """Sees every pixel."""

    def __init__(self, side: int) -> None:
        super().__init__("flat", 3 * side * side, side)
        self.scale = nn.Parameter(torch.ones(self.dimension))
        self.seen: list[Tensor] = []

    def look(self, images: Tensor) -> BackboneOutput:
        self.seen.append(images)
        return BackboneOutput(images.flatten(1) * self.scale, None)


def test_every_view_of_a_picture_is_learnt_with_its_class(folder: Path) -> None:
    pictures = open_pictures(Corpus(folder / "corpus"), folder / "features", 16, 8)
    features, labels = view_features(Flat(8), pictures, Recipe(views=3, batch=5))
    assert features.shape == (3 * len(pictures), 3 * 8 * 8)
    views = features.reshape(3, len(pictures), -1)
    assert not torch.equal(views[0], views[1])
    assert labels.tolist() == 3 * pictures.labels.tolist()


def test_accuracy_is_that_of_unflipped_centres(folder: Path) -> None:
    pictures = open_pictures(Corpus(folder / "corpus"), folder / "features", 16, 8)
    base = Flat(8)
    head = nn.Linear(base.dimension, len(COLOURS))
    told = head(base(pictures.squares(None)).features).argmax(dim=1).numpy()
    base.seen.clear()
    found = accuracy_of(base, head, pictures, 5)
    torch.testing.assert_close(torch.cat(base.seen), pictures.squares(None))
    assert found == (told == pictures.labels).mean()


def test_layers_behind_the_head_learn_at_a_tenth_of_its_rate(folder: Path) -> None:
    pictures = open_pictures(Corpus(folder / "corpus"), folder / "features", 16, 8)
    base = Flat(8)
    head = Classifier(base(pictures.squares(None)).features.detach(), len(COLOURS))
    nn.init.normal_(head.linear.weight, generator=torch.Generator().manual_seed(0))
    before = head.linear.weight.detach().clone(), base.scale.detach().clone()
    train_all(base, head, pictures, Recipe(steps=1, batch=8, lr=0.01))
    # The first step of Adam is as long as its rate.
    for value, old, rate in ((head.linear.weight, before[0], 0.01), (base.scale, before[1], 0.001)):
        assert float((value.detach() - old).abs().max()) == pytest.approx(rate, rel=0.01)


def test_rates_fall_to_nothing() -> None:
    weight = nn.Parameter(torch.zeros(()))
    descent = Descent([(0.1, [weight])], 10)
    places = [0.0]
    for _ in range(11):
        descent.step(weight)
        places.append(float(weight.detach()))
    strides = -np.diff(places)
    assert strides[0] == pytest.approx(0.1, rel=1e-3)
    assert (np.diff(strides) < 0).all()
    assert strides[-1] == pytest.approx(0, abs=1e-6)


def test_the_folded_head_is_the_trained_one() -> None:
    rng = torch.Generator().manual_seed(0)
    features = 5 + 3 * torch.randn(50, 6, generator=rng)
    features[:, 2] = 7.0  # never changes
    labels = (features[:, 0] > 5).long()
    head = train_head(features, labels, 2, Recipe(steps=200, batch=32, lr=0.05))
    folded = head.folded()
    torch.testing.assert_close(folded(features), head(features), atol=1e-4, rtol=1e-4)
    assert (folded(features).argmax(dim=1) == labels).float().mean() > 0.95


def test_an_untrained_head_has_no_opinion() -> None:
    features = torch.randn(9, 6, generator=torch.Generator().manual_seed(0))
    assert Classifier(features, 4)(features).abs().max() == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--backbone=vgg16"], "--backbone; got 'vgg16'; expected one of compact"),
        (["--backbone=fine_tuned"], "--backbone; got 'fine_tuned'; expected another network"),
        (["--backbone=inception_v3/torchvision"], "inception_v3_google-0cc3c7bd.pth"),
        (["--backbone=torch_fidelity", "--layers=all"], "through which no gradient passes"),
        (["--steps=0"], "--steps; got 0; expected at least 1"),
        (["--lr=0"], "--lr; got 0.0; expected more than 0"),
        (["--crop=21"], "got 21 px; expected at most 20 px"),
        (["--corpus=nowhere"], "nowhere"),
        (["--out=elsewhere.safetensors"], f"expected a file named {FILE}"),
        ([f"--out={__file__}/{FILE}"], f"'{__file__}'"),
    ],
)
def test_bad_input_is_told_in_one_line(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    told: str,
) -> None:
    assert command(folder, tmp_path / FILE, *options) == EXIT_USER_ERROR
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.startswith("fine_tune: ")] == lines[-1:]
    assert told in lines[-1]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("taken", [FILE, f".{FILE}.partial"])
def test_a_file_that_cannot_be_written_is_told_before_the_training(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    taken: str,
) -> None:
    monkeypatch.setattr(command_module, "fine_tune", lambda *_: pytest.fail("trained"))
    (tmp_path / taken).mkdir()
    assert command(folder, tmp_path / FILE) == EXIT_USER_ERROR
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fine_tune: ")
    assert str(tmp_path / taken) in line
    assert [path.name for path in tmp_path.iterdir()] == [taken]


def test_a_disk_that_is_full_after_the_training_is_told_and_the_old_file_stays(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def half_written(path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(command_module, "write_fine_tuned", half_written)
    (tmp_path / FILE).write_bytes(b"old")
    assert command(folder, tmp_path / FILE, "--steps=1", "--views=1") == EXIT_USER_ERROR
    assert capsys.readouterr().err.splitlines()[-1] == f"fine_tune: {DISK_FULL}"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_a_link_in_the_place_of_the_unfinished_file_is_not_followed(
    folder: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"theirs")
    (tmp_path / f".{FILE}.partial").symlink_to(theirs)
    assert command(folder, tmp_path / FILE, "--steps=1", "--views=1") == 0
    assert theirs.read_bytes() == b"theirs"
    assert read_fine_tuning(tmp_path / FILE, KIND).steps == 1


def test_classes_that_cannot_be_learnt_are_told(tmp_path: Path) -> None:
    for changes, told in (
        ({"has_classes": False}, "belong to no classes"),
        ({"names": ["red"]}, "test classes of the corpus; got 1"),
        ({"per_class": 1}, "test class 'red'; got one picture"),
    ):
        corpus = write_colours(tmp_path, **changes)
        with pytest.raises(UserError, match=told):
            open_pictures(corpus, tmp_path / "features", None, None)
