from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import torch

from s2igan.engine.session import plain_session
from s2igan.errors import UserError
from s2igan.rdg.artifact import copy_speech_encoder, load_generator, save_generator
from s2igan.rdg.draw import draw_all, noise_vectors, to_uint8
from s2igan.rdg.plan import plan
from s2igan.rdg.sample import sample
from tests.rdg.makers import (
    CAPTIONS,
    EMBEDDING_DIM,
    corpus_tables,
    sample_config,
    small_generator,
    write_inputs,
)

CPU = torch.device("cpu")


def descriptions() -> pd.DataFrame:
    images, rows = corpus_tables()
    of = rows["image"].to_numpy()
    return rows.assign(
        split=images["split"].to_numpy()[of], class_id=images["class_id"].to_numpy()[of]
    )


def by_set(rows: pd.DataFrame) -> dict[str, pd.DataFrame]:
    return {str(name): part.reset_index(drop=True) for name, part in rows.groupby("set")}


def test_every_test_caption_is_drawn_once() -> None:
    rows = by_set(plan(descriptions(), sample_config()))["test"]
    table = descriptions()
    expected = table.index[(table["split"] == "test") & (table["role"] == "caption")]
    assert list(rows["utterance"]) == list(expected)
    assert list(rows["target"]) == list(expected)
    assert rows["noise"].is_unique


def test_captions_of_a_picture_may_share_their_noise() -> None:
    rows = by_set(plan(descriptions(), sample_config(noise="per_picture")))["test"]
    pictures = rows["utterance"] // CAPTIONS
    assert (rows.groupby(pictures)["noise"].nunique() == 1).all()
    assert rows["noise"].nunique() == pictures.nunique()


def test_swaps_are_pairs_with_one_noise() -> None:
    sets = by_set(plan(descriptions(), sample_config()))
    original, changed = sets["swap_original"], sets["swap_changed"]
    table = descriptions()
    assert list(changed["utterance"]) == list(table.index[table["role"] == "swap"])
    assert list(original["utterance"]) == list(table.loc[changed["utterance"], "swap_of"])
    assert list(original["noise"]) == list(changed["noise"])
    assert original["noise"].is_unique
    assert not set(original["noise"]) & set(sets["test"]["noise"])


def test_draws_repeat_a_sentence_with_different_noise() -> None:
    rows = by_set(plan(descriptions(), sample_config(draws=3)))["draws"]
    groups = rows["utterance"].to_numpy().reshape(2, 3)
    assert (groups == groups[:, :1]).all()
    assert rows["noise"].is_unique
    # Two sentences of a corpus with two test classes: one of each.
    assert descriptions().loc[groups[:, 0], "class_id"].nunique() == 2


def test_mismatched_speech_comes_from_another_class() -> None:
    for seed in range(5):
        sets = by_set(plan(descriptions(), sample_config(seed=seed)))
        rows, test = sets["mismatched"], sets["test"].set_index("target")
        classes = descriptions()["class_id"]
        assert (
            classes.loc[rows["utterance"]].to_numpy() != classes.loc[rows["target"]].to_numpy()
        ).all()
        assert list(rows["noise"]) == list(test.loc[rows["target"], "noise"])
        assert len(rows) == len(test)
    few = by_set(plan(descriptions(), sample_config(mismatched=3)))["mismatched"]
    assert len(few) == 3


def test_a_corpus_without_test_captions_is_refused() -> None:
    table = descriptions()
    with pytest.raises(UserError, match="test captions"):
        plan(table[table["split"] == "train"], sample_config())


def test_noise_belongs_to_its_index() -> None:
    together = noise_vectors(1, [4, 9, 4], 6)
    np.testing.assert_array_equal(together[0], together[2])
    np.testing.assert_array_equal(noise_vectors(1, [9], 6)[0], together[1])
    assert not np.array_equal(noise_vectors(2, [9], 6)[0], together[1])


def test_noise_is_standard_normal_or_truncated() -> None:
    values = noise_vectors(0, range(200), 100)
    assert abs(float(values.mean())) < 0.03
    assert abs(float(values.std()) - 1) < 0.03
    truncated = noise_vectors(0, range(200), 100, truncation=0.5)
    assert np.abs(truncated).max() <= 0.5
    kept = np.abs(values) <= 0.5
    np.testing.assert_array_equal(truncated[kept], values[kept])


def drawn(order: list[int], batch_size: int, ca_noise: bool = True) -> np.ndarray:
    rng = np.random.default_rng(0)
    embeddings = rng.standard_normal((9, EMBEDDING_DIM)).astype(np.float32)
    batches = draw_all(
        small_generator().eval(),
        embeddings,
        order,
        [100 + utterance for utterance in order],
        seed=0,
        batch_size=batch_size,
        device=CPU,
        precision="float32",
        ca_noise=ca_noise,
    )
    return np.concatenate(list(batches))


def test_pictures_do_not_depend_on_the_batch_size() -> None:
    order = list(range(9))
    one, several = drawn(order, 1).astype(int), drawn(order, 4).astype(int)
    # Another batch size may round the last bit of a convolution differently.
    assert np.abs(one - several).max() <= 1
    assert (one == several).mean() > 0.99


def test_permuted_utterances_permute_the_pictures() -> None:
    order = np.random.default_rng(3).permutation(9)
    straight, permuted = drawn(list(range(9)), 9), drawn(order.tolist(), 9)
    assert np.abs(straight[order].astype(int) - permuted).max() <= 1
    assert np.abs(straight.astype(int) - permuted).max() > 1


def test_condition_noise_can_be_left_out() -> None:
    assert not np.array_equal(drawn([0, 1], 2), drawn([0, 1], 2, ca_noise=False))


def test_levels_are_rounded_and_clipped() -> None:
    image = torch.tensor([-2.0, -1.0, 0.0, 1.0, 2.0]).expand(1, 3, 1, 5)
    assert to_uint8(image)[0, 0, :, 0].tolist() == [0, 0, 128, 255, 255]


def test_generator_survives_the_way_to_disk(tmp_path: Path) -> None:
    generator = small_generator(dense="released")
    save_generator(tmp_path, generator, training={"steps": 1})
    loaded = load_generator(tmp_path)
    assert loaded.architecture == generator.architecture
    for name, value in generator.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value)
    assert not loaded.training


def test_a_missing_or_foreign_generator_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="train_rdg"):
        load_generator(tmp_path)
    save_generator(tmp_path, small_generator())
    (tmp_path / "generator.safetensors").write_bytes(b"broken")
    with pytest.raises(UserError, match="fit each other"):
        load_generator(tmp_path)


def test_the_stage_writes_pictures_and_their_table(tmp_path: Path) -> None:
    paths = write_inputs(tmp_path)
    rdg = tmp_path / "rdg"
    rdg.mkdir()
    save_generator(rdg, small_generator())
    copy_speech_encoder(paths["sen"], rdg)
    outs = []
    for name, batch_size in (("one", 4), ("two", 4)):
        sample(
            sample_config(batch_size=batch_size),
            corpus=paths["corpus"],
            features=paths["features"],
            rdg=rdg,
            out=tmp_path / name,
            session=plain_session(),
        )
        outs.append({p.name: p.read_bytes() for p in (tmp_path / name).iterdir()})
    assert outs[0] == outs[1]
    table = pq.read_table(tmp_path / "one" / "samples.parquet")
    images = np.load(tmp_path / "one" / "images.npy")
    assert images.shape == (table.num_rows, 32, 32, 3)
    assert images.dtype == np.uint8
    expected = plan(descriptions(), sample_config())
    assert table.to_pandas().to_dict("list") == expected.to_dict("list")
