"""Embeddings and the figures made of them."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

from s2igan.engine.session import plain_session
from s2igan.engine.tables import write_json, write_table
from s2igan.errors import UserError
from s2igan.metrics.intervals import bootstrap_over_classes
from s2igan.metrics.retrieval import (
    chance_by_permutation,
    rank,
    ranked_average_precisions,
)
from s2igan.sen.artifact import load_image_encoder, load_speech_encoder, seeded_speech_encoder
from s2igan.sen.data import Captions, SenData, authors_queries
from s2igan.sen.embed import check_searchable, embed
from s2igan.sen.encode import length_buckets
from s2igan.sen.train import train_sen

from .synthetic import VIEWS, embed_config, sen_config, write_synthetic


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs, a briefly trained SEN and its embeddings."""
    folder = tmp_path_factory.mktemp("embed")
    write_synthetic(folder)
    train_sen(
        sen_config(steps=40, batch=32),
        corpus=folder / "corpus",
        features=folder / "features",
        out=folder / "sen",
        curves=folder / "curves.tsv",
        session=plain_session(),
    )
    run(folder)
    return folder


def run(folder: Path, name: str = "embeddings", **changes: Any) -> dict[str, Any]:
    """Run the stage and return its figures."""
    embed(
        embed_config(**changes),
        corpus=folder / "corpus",
        features=folder / "features",
        sen=folder / "sen",
        out=folder / name,
        metrics=folder / f"{name}.json",
        session=plain_session(),
    )
    figures: dict[str, Any] = json.loads((folder / f"{name}.json").read_text())
    return figures


def test_every_row_is_its_own_utterance_or_view(work: Path) -> None:
    import torch

    data = SenData(work / "corpus", work / "features")
    speech = np.load(work / "embeddings" / "speech.npy")
    image = np.load(work / "embeddings" / "image.npy")
    assert speech.shape == (193, 24)  # 192 captions and a swap
    assert image.shape == (64, VIEWS, 24)
    encoder, looker = load_speech_encoder(work / "sen"), load_image_encoder(work / "sen")
    with torch.no_grad():
        for utterance in (0, 17, 192):
            frames = torch.from_numpy(np.array(data.sequences[utterance], np.float32))[None]
            alone = encoder(frames, torch.tensor([frames.shape[1]]))[0]
            np.testing.assert_allclose(speech[utterance], alone, atol=1e-6)
        views = looker(torch.from_numpy(np.array(data.backbone[5])))
    np.testing.assert_allclose(image[5], views, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(speech, axis=1), 1.0, atol=1e-6)


def test_embeddings_tell_which_weights_made_them(work: Path) -> None:
    files = {"speech.npy": "speech_encoder", "image.npy": "image_encoder"}
    weights = {name: work / "sen" / f"{stem}.safetensors" for name, stem in files.items()}
    told = json.loads((work / "embeddings" / "embeddings.json").read_text())["made_by"]
    assert told == {n: sha256(path.read_bytes()).hexdigest() for n, path in weights.items()}


def test_the_size_of_a_batch_changes_nothing(work: Path) -> None:
    run(work, "one_by_one", frames_per_batch=1)
    run(work, "again")
    whole = (work / "embeddings" / "speech.npy").read_bytes()
    assert (work / "again" / "speech.npy").read_bytes() == whole
    assert (work / "again.json").read_bytes() == (work / "embeddings.json").read_bytes()
    np.testing.assert_allclose(
        np.load(work / "one_by_one" / "speech.npy"),
        np.load(work / "embeddings" / "speech.npy"),
        atol=1e-6,
    )


@pytest.mark.usefixtures("emulated_bfloat16")
def test_the_precision_is_that_of_the_parameters(work: Path) -> None:
    run(work, "coarse", precision="bfloat16")
    for name in ("speech.npy", "image.npy"):
        coarse, fine = (np.load(work / folder / name) for folder in ("coarse", "embeddings"))
        assert 1e-4 < np.abs(coarse - fine).max() < 0.1


def test_a_batch_holds_at_most_the_frames_asked_for() -> None:
    lengths = np.random.default_rng(0).integers(5, 400, 200)
    batches = list(length_buckets(lengths, 1000))
    assert sorted(np.concatenate(batches)) == list(range(200))
    frames = [len(rows) * lengths[rows].max() for rows in batches]  # padding included
    assert 800 < np.median(frames) <= max(frames) <= 1000
    assert [len(rows) for rows in length_buckets(lengths, 1)] == [1] * 200


def brute_force(
    similarity: np.ndarray[Any, Any], relevant: np.ndarray[Any, Any], k: int
) -> tuple[float, float]:
    """Mean average precision and R@k, one rank at a time."""
    precisions, hits = [], []
    for values, wanted in zip(similarity, relevant, strict=True):
        ranked = [bool(wanted[j]) for j in sorted(range(len(values)), key=lambda j: -values[j])]
        found = [sum(ranked[: r + 1]) / (r + 1) for r in range(len(ranked)) if ranked[r]]
        precisions.append(sum(found) / len(found))
        hits.append(any(ranked[:k]))
    return float(np.mean(precisions)), float(np.mean(hits))


def test_figures_are_those_of_a_brute_force_search(work: Path) -> None:
    figures = json.loads((work / "embeddings.json").read_text())
    data = SenData(work / "corpus", work / "features")
    test = data.captions("test")
    assert len(test.utterances) == 36  # the swap is not among them
    pictures = np.flatnonzero(data.corpus.images["split"] == "test")
    speech = np.load(work / "embeddings" / "speech.npy")[test.utterances]
    image = np.load(work / "embeddings" / "image.npy")[pictures, 0]
    similarity = speech @ image.T
    relevant = test.classes[:, None] == data.image_classes[pictures][None, :]
    for group, (values, wanted) in {
        "speech_to_image": (similarity, relevant),
        "image_to_speech": (similarity.T, relevant.T),
    }.items():
        for k in (1, 5, 10):
            mean_ap, recall = brute_force(values, wanted, k)
            assert figures[group][f"R@{k}"]["value"] == pytest.approx(recall, rel=1e-5)
        assert figures[group]["mAP"]["value"] == pytest.approx(mean_ap, rel=1e-5)
    first = [int(np.flatnonzero(test.classes == c)[0]) for c in np.unique(test.classes)]
    mean_ap, _ = brute_force(similarity[first], relevant[first], 1)
    assert figures["authors_protocol"]["mAP"]["value"] == pytest.approx(mean_ap, rel=1e-5)


def test_figures_carry_chance_interval_and_protocol(work: Path) -> None:
    figures = json.loads((work / "embeddings.json").read_text())
    figure = figures["speech_to_image"]["mAP"]
    assert figure["low"] <= figure["value"] <= figure["high"]
    assert figure["chance"] < figure["value"] - 0.2
    said = " ".join(figure["protocol"])
    for part in ("36 captions", "12 pictures", "synthetic", "edition test", "looks", "16-d"):
        assert part in said


def test_chance_and_interval_are_of_the_permutations_and_classes_asked_for(work: Path) -> None:
    config = embed_config()
    figures = json.loads((work / "embeddings.json").read_text())
    data = SenData(work / "corpus", work / "features")
    test = data.captions("test")
    pictures = np.flatnonzero(data.corpus.images["split"] == "test")
    speech = np.load(work / "embeddings" / "speech.npy")[test.utterances]
    image = np.load(work / "embeddings" / "image.npy")[pictures, 0]
    spoken, shown = (speech, test.classes), (image, data.image_classes[pictures])
    described: Literal["queries", "gallery"]
    for group, queries, gallery, described in (
        ("speech_to_image", spoken, shown, "queries"),
        ("image_to_speech", shown, spoken, "gallery"),
    ):
        order, classes = rank(queries[0] @ gallery[0].T), queries[1]
        values = ranked_average_precisions(gallery[1][order] == classes[:, None])
        interval = bootstrap_over_classes(values, classes, config.seed, config.bootstrap_draws)
        chance = chance_by_permutation(
            order,
            classes,
            gallery[1],
            {"mAP": ranked_average_precisions},
            permute=described,
            permutations=config.chance_permutations,
            seed=config.seed,
        )
        figure = figures[group]["mAP"]
        assert (figure["low"], figure["high"]) == pytest.approx(interval, rel=1e-5)
        assert figure["chance"] == pytest.approx(chance["mAP"], rel=1e-5)


def test_without_classes_the_described_picture_alone_is_relevant(
    work: Path, tmp_path: Path
) -> None:
    write_synthetic(tmp_path, has_classes=False)
    shutil.copytree(work / "sen", tmp_path / "sen")
    figures = run(tmp_path)
    data = SenData(tmp_path / "corpus", tmp_path / "features")
    test = data.captions("test")
    pictures = np.unique(test.images)
    speech = np.load(tmp_path / "embeddings" / "speech.npy")[test.utterances]
    similarity = speech @ np.load(tmp_path / "embeddings" / "image.npy")[pictures, 0].T
    relevant = test.images[:, None] == pictures[None, :]
    for group, (values, wanted) in {
        "speech_to_image": (similarity, relevant),
        "image_to_speech": (similarity.T, relevant.T),
    }.items():
        mean_ap, recall = brute_force(values, wanted, 5)
        assert figures[group]["mAP"]["value"] == pytest.approx(mean_ap, rel=1e-5)
        assert figures[group]["R@5"]["value"] == pytest.approx(recall, rel=1e-5)
    figure = figures["speech_to_image"]["mAP"]
    assert figure["low"] < figure["value"] < figure["high"]
    said = " ".join(sentence for group in figures.values() for sentence in group["mAP"]["protocol"])
    assert "12 test pictures, unseen in training; the described picture is relevant" in said
    assert "bootstrap over pictures" in said
    assert "class" not in said


def test_the_authors_query_is_the_first_caption_of_the_first_picture() -> None:
    test = Captions(
        utterances=np.array([10, 11, 12, 13, 14]),
        images=np.array([4, 4, 2, 3, 3]),
        classes=np.array([9, 9, 9, 1, 1]),
    )
    assert authors_queries(test).tolist() == [3, 2]


def test_a_corpus_without_test_classes_is_refused(work: Path, tmp_path: Path) -> None:
    shutil.copytree(work / "corpus", tmp_path / "corpus")
    shutil.copytree(work / "features", tmp_path / "features")
    shutil.copytree(work / "sen", tmp_path / "sen")
    import pyarrow as pa

    index = pd.read_parquet(tmp_path / "corpus" / "index.parquet")
    index["split"] = index["split"].replace("test", "train")
    write_table(tmp_path / "corpus" / "index.parquet", pa.Table.from_pandas(index))
    info = json.loads((tmp_path / "corpus" / "corpus.json").read_text())
    for counts in (info["images"], info["utterances"]):
        counts["train"] += counts.pop("test")
    write_json(tmp_path / "corpus" / "corpus.json", info)
    with pytest.raises(UserError, match="split test; got 0; expected at least 2"):
        run(tmp_path)
    assert not (tmp_path / "embeddings").exists()
    assert not (tmp_path / "embeddings.json").exists()


@pytest.mark.parametrize(("has_classes", "unit"), [(True, "classes"), (False, "pictures")])
def test_a_single_test_class_leaves_nothing_to_tell_apart(has_classes: bool, unit: str) -> None:
    alone = Captions(np.arange(3), np.arange(3), np.zeros(3, np.int64))
    with pytest.raises(UserError, match=f"{unit} with captions .*got 1; expected at least 2"):
        check_searchable(alone, has_classes)


def test_missing_or_broken_weights_are_told_in_one_line(work: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="dvc repro train_sen"):
        load_speech_encoder(tmp_path / "nowhere")
    shutil.copytree(work / "sen", tmp_path / "sen")
    weights = tmp_path / "sen" / "speech_encoder.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(UserError, match=r"weights .*speech_encoder") as caught:
        load_speech_encoder(tmp_path / "sen")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("load", "part", "changes", "got"),
    [
        (load_speech_encoder, "speech_encoder", {"gru_hidden": 0}, "ValueError: hidden_size"),
        (load_speech_encoder, "speech_encoder", {"kernel": -1}, "RuntimeError: "),
        (load_speech_encoder, "speech_encoder", {"channels": []}, "ValueError: "),
        (load_speech_encoder, "speech_encoder", {"width": 3}, "TypeError: "),
        (load_speech_encoder, "speech_encoder", {"activation": "ReLU"}, "ValueError: activation"),
        (load_speech_encoder, "speech_encoder", {"activation": ["relu"]}, "ValueError: activatio"),
        (load_speech_encoder, "speech_encoder", {"stride": 0}, "ValueError: stride is 0, expec"),
        (load_speech_encoder, "speech_encoder", {"stride": 2.0}, "ValueError: stride is 2"),
        (load_speech_encoder, "speech_encoder", {"stride": 10**9}, "ValueError: stride is 1000"),
        (load_speech_encoder, "speech_encoder", {"gru_layers": 0}, "ValueError: gru_layers is 0"),
        (load_image_encoder, "image_encoder", {"feature_dim": -1}, "RuntimeError: "),
        (seeded_speech_encoder, None, {"seed": "a"}, "RuntimeError: manual_seed"),
        (seeded_speech_encoder, None, {"encoder": "another"}, "KeyError: 'another'"),
    ],
)
def test_what_no_encoder_can_be_built_of_is_told_in_one_line(
    work: Path,
    tmp_path: Path,
    load: Callable[[Path], object],
    part: str | None,
    changes: dict[str, Any],
    got: str,
) -> None:
    told = json.loads((work / "sen" / "sen.json").read_text())
    (told if part is None else told[part]).update(changes)
    write_json(tmp_path / "sen.json", told)
    with pytest.raises(UserError, match=rf"no encoder that can be built \({got}") as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def no_number(work: Path) -> None:
    mel = np.load(work / "features" / "mel.npy")
    mel[9:60] = np.nan
    np.save(work / "features" / "mel.npy", mel)


def one_view(work: Path) -> None:
    backbone = np.load(work / "features" / "backbone.npy")
    np.save(work / "features" / "backbone.npy", backbone[:, 0])


def other_backbones(work: Path) -> None:
    write_json(work / "features" / "backbone.json", {"names": ["a", "b"], "dimension": 16})


def no_names(work: Path) -> None:
    write_json(work / "features" / "backbone.json", {"dimension": 12})


@pytest.mark.parametrize(
    ("damage", "got"),
    [
        (no_number, "features of the speech; got some without a finite embedding"),
        (one_view, r"backbone\.npy'; got an array .*, not one of 3 axes"),
        (other_backbones, r"got 16 of \['a', 'b'\], not 16 of \['looks'\] as SEN learnt from"),
        (no_names, r"backbone\.json'; got no list 'names'"),
    ],
)
def test_damaged_features_leave_earlier_embeddings_alone(
    work: Path, tmp_path: Path, damage: Callable[[Path], None], got: str
) -> None:
    shutil.copytree(work, tmp_path / "work")
    before = (tmp_path / "work" / "embeddings" / "speech.npy").read_bytes()
    damage(tmp_path / "work")
    with pytest.raises(UserError, match=got):
        run(tmp_path / "work")
    assert (tmp_path / "work" / "embeddings" / "speech.npy").read_bytes() == before
