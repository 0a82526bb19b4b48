import pandas as pd
import pytest

from s2igan.errors import UserError
from s2igan.rdg.plan import plan
from tests.rdg.makers import CAPTIONS, corpus_tables, sample_config


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


def test_captions_of_a_picture_may_share_z_but_not_the_noise_of_their_condition() -> None:
    rows = by_set(plan(descriptions(), sample_config(noise="per_picture")))["test"]
    pictures = rows["utterance"] // CAPTIONS
    assert (rows.groupby(pictures)["noise"].nunique() == 1).all()
    assert rows["noise"].nunique() == pictures.nunique()
    assert rows["condition_noise"].is_unique


def test_but_for_captions_that_share_z_one_index_stands_for_all_noise() -> None:
    own = plan(descriptions(), sample_config())
    shared = plan(descriptions(), sample_config(noise="per_picture"))
    assert list(own["condition_noise"]) == list(own["noise"])
    asked = own["set"].isin(["test", "mismatched"])
    pd.testing.assert_frame_equal(shared[~asked], own[~asked])
    pd.testing.assert_frame_equal(shared.drop(columns="noise"), own.drop(columns="noise"))


def test_swaps_are_pairs_with_one_noise() -> None:
    sets = by_set(plan(descriptions(), sample_config()))
    original, changed = sets["swap_original"], sets["swap_changed"]
    table = descriptions()
    assert list(changed["utterance"]) == list(table.index[table["role"] == "swap"])
    assert list(original["utterance"]) == list(table.loc[changed["utterance"], "swap_of"])
    assert list(original["noise"]) == list(changed["noise"])
    assert original["noise"].is_unique
    assert not set(original["noise"]) & set(sets["test"]["noise"])
    for rows in (original, changed):
        assert list(rows["target"]) == list(rows["utterance"])


def test_swaps_of_other_splits_are_left_out() -> None:
    table = descriptions()
    first, second = table.index[table["role"] == "swap"]
    table.loc[first, "split"] = "train"
    sets = by_set(plan(table, sample_config()))
    assert list(sets["swap_changed"]["utterance"]) == [second]
    assert list(sets["swap_original"]["utterance"]) == [table.loc[second, "swap_of"]]


def test_draws_repeat_a_sentence_with_different_noise() -> None:
    rows = by_set(plan(descriptions(), sample_config(draws=3)))["draws"]
    groups = rows["utterance"].to_numpy().reshape(2, 3)
    assert (groups == groups[:, :1]).all()
    assert rows["noise"].is_unique
    sets = by_set(plan(descriptions(), sample_config(draws=3)))
    for name in ("test", "swap_original", "swap_changed"):
        assert not set(rows["noise"]) & set(sets[name]["noise"])
    # Two sentences of a corpus with two test classes: one of each.
    chosen = set()
    for seed in range(6):
        rows = by_set(plan(descriptions(), sample_config(seed=seed)))["draws"]
        assert descriptions().loc[rows["utterance"], "class_id"].nunique() == 2
        chosen.add(tuple(rows["utterance"]))
    assert len(chosen) > 1


@pytest.mark.parametrize("noise", ["per_utterance", "per_picture"])
def test_mismatched_speech_comes_from_another_class(noise: str) -> None:
    for seed in range(5):
        sets = by_set(plan(descriptions(), sample_config(seed=seed, noise=noise)))
        rows, test = sets["mismatched"], sets["test"].set_index("target")
        classes = descriptions()["class_id"]
        assert (
            classes.loc[rows["utterance"]].to_numpy() != classes.loc[rows["target"]].to_numpy()
        ).all()
        for part in ("noise", "condition_noise"):
            assert list(rows[part]) == list(test.loc[rows["target"], part])
        assert len(rows) == len(test)
    few = by_set(plan(descriptions(), sample_config(mismatched=3)))["mismatched"]
    assert len(few) == 3


def test_every_caption_of_another_class_may_be_the_mismatched_one() -> None:
    plans = [by_set(plan(descriptions(), sample_config(seed=seed))) for seed in range(12)]
    drawn = {utterance for sets in plans for utterance in sets["mismatched"]["utterance"]}
    assert drawn == set(plans[0]["test"]["utterance"])


def test_classes_of_any_size_hear_all_others_and_never_their_own() -> None:
    table = pd.DataFrame({"class_id": [2, 0, 1, 2, 3, 3, 1, 2, 3, 3]})
    table = table.assign(image=table.index, position=0, role="caption", split="test")
    pairs = set()
    for seed in range(40):
        rows = by_set(plan(table, sample_config(seed=seed)))["mismatched"]
        of = table["class_id"].to_numpy()
        pairs |= set(zip(of[rows["target"]].tolist(), of[rows["utterance"]].tolist(), strict=True))
    assert pairs == {(own, other) for own in range(4) for other in range(4) if own != other}


def test_a_corpus_without_test_captions_is_refused() -> None:
    table = descriptions()
    with pytest.raises(UserError, match="test captions"):
        plan(table[table["split"] == "train"], sample_config())


def test_a_corpus_without_val_captions_is_refused_with_the_way_out() -> None:
    with pytest.raises(UserError, match=r"val captions .* got 0; .* raise corpus\.val_classes"):
        plan(descriptions(), sample_config(split="val"))


def test_val_captions_are_drawn_in_place_of_test_captions() -> None:
    table = descriptions()
    table.loc[table["class_id"].isin([0, 1]), "split"] = "val"
    rows = plan(table, sample_config(split="val"))
    sets = by_set(rows)
    assert set(sets) == {"val", "draws", "mismatched"}
    assert set(table.loc[rows["utterance"], "split"]) == {"val"}
    assert set(table.loc[rows["target"], "split"]) == {"val"}
    assert list(sets["val"]["utterance"]) == list(table.index[table["split"] == "val"])


@pytest.mark.parametrize("noise", ["per_utterance", "per_picture"])
def test_the_first_captions_of_each_picture_can_be_enough(noise: str) -> None:
    sets = by_set(plan(descriptions(), sample_config(captions_per_picture=1, noise=noise)))
    table = descriptions()
    chosen = (table["split"] == "test") & (table["role"] == "caption") & (table["position"] == 0)
    assert list(sets["test"]["utterance"]) == list(table.index[chosen])
    for name in ("draws", "mismatched"):
        assert set(sets[name]["utterance"]) <= set(sets["test"]["utterance"])
    assert len(sets["swap_original"]) == 2  # pairs stay whole
