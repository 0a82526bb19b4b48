"""Lists of variants: every list that ships is valid, and everything wrong is told at once."""

from pathlib import Path

import pytest

from s2igan.comparison.variants import expand, overridden, read_list
from s2igan.engine.showcase import dotted
from s2igan.errors import UserError
from tests.committed import needs_committed

ROOT = Path(__file__).parents[2]
LISTS = sorted((ROOT / "presets" / "tables").glob("*.yaml"))
SMALL = """
title: A table
caption: nothing
params: presets/smoke.yaml
common:
  rdg.matching_weight: 0.0
reference: s2igan
seeds: [1]
rows:
  - name: s2igan
    title: S2IGAN
    seeds: [1, 4]
  - name: without-rs
    title: w/o RS
    set:
      rdg.use_rs: false
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "list.yaml"
    path.write_text(text)
    return path


@needs_committed("params.yaml")
@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.stem)
def test_every_list_that_ships_fits_its_parameters(path: Path) -> None:
    listed = read_list(path)
    variants = expand(listed, ROOT)
    assert len({variant.name for variant in variants}) == len(variants)
    # No row repeats another: each changes what the others do not.
    rows = {variant.row: variant.values for variant in reversed(variants)}
    for values in rows.values():
        values["rdg"]["seed"] = None
    assert len({str(values) for values in rows.values()}) == len(listed.rows)


def test_paper_scale_lists_hold_every_row_of_the_small_one() -> None:
    names = {
        path.stem: {row.name for row in read_list(path).rows} - {"kl-2", "without-kl"}
        for path in LISTS
    }
    assert names["cub"] == names["oxford102"] == names["minibirds"]
    assert {"s2igan", "without-rs", "without-dense", "stackgan-v2-speech"} == names["oxford102-cpu"]


def test_seeds_are_those_of_the_row_or_of_the_list(tmp_path: Path) -> None:
    variants = expand(read_list(written(tmp_path, SMALL)), ROOT)
    assert [v.name for v in variants] == ["s2igan-s1", "s2igan-s4", "without-rs-s1"]
    assert [v.params.rdg.seed for v in variants] == [1, 4, 1]
    assert [v.given["rdg"]["seed"] for v in variants] == [1, 4, 1]
    assert [v.params.rdg.use_rs for v in variants] == [True, True, False]
    assert {v.params.rdg.matching_weight for v in variants} == {0.0}
    assert {v.params.sen.seed for v in variants} == {1}


def test_rows_can_be_chosen(tmp_path: Path) -> None:
    listed = read_list(written(tmp_path, SMALL))
    assert [v.name for v in expand(listed, ROOT, ["without-rs"])] == ["without-rs-s1"]
    with pytest.raises(UserError, match="rows 'without-sr'; got no such row; expected some of"):
        expand(listed, ROOT, ["without-sr"])


def test_all_wrong_rows_are_told_at_once(tmp_path: Path) -> None:
    text = SMALL + (
        "  - {name: a, title: a, set: {rdg.use_rss: false}}\n"
        "  - {name: b, title: b, set: {rdg.kl_weight: heavy}}\n"
        "  - {name: c, title: c, set: {rdg.speech_encoder: untrained, rdg.matching_weight: 1.0}}\n"
    )
    with pytest.raises(UserError) as caught:
        expand(read_list(written(tmp_path, text)), ROOT)
    told = str(caught.value)
    assert "row 'a': rdg.use_rss: no such key" in told
    assert "row 'b': rdg.kl_weight: got 'heavy'" in told
    assert "row 'c': rdg.matching_weight" in told


def test_what_all_rows_start_from_is_told_once(tmp_path: Path) -> None:
    listed = read_list(written(tmp_path, SMALL))
    (tmp_path / "presets").mkdir()
    older = (ROOT / listed.params).read_text().replace("  frame_noise:", "  noise:")
    (tmp_path / listed.params).write_text(older)
    with pytest.raises(UserError) as caught:
        expand(listed, tmp_path)
    assert str(caught.value) == (
        f"{str(tmp_path / listed.params)!r}: sen.frame_noise: got nothing; expected a value, as "
        "the files in presets/ have | sen.noise: unknown key; got 0.0; expected one that the "
        "files in presets/ have"
    )


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("name: without-rs", "name: s2igan", "'s2igan' twice"),
        ("reference: s2igan", "reference: s3igan", "reference: got 's3igan'"),
        ("seeds: [1, 4]", "seeds: [4, 4]", "same seed twice"),
        ("rdg.use_rs: false", "rdg.seed: 3", "without-rs.set: rdg.seed stands among the seeds"),
        (
            "name: without-rs",
            "name: w/o RS",
            "rows.1.name: got .*; expected a name of small letters",
        ),
        ("title: A table", "titel: A table", "titel: unknown key"),
    ],
)
def test_a_wrong_list_is_told(tmp_path: Path, before: str, after: str, told: str) -> None:
    assert before in SMALL
    with pytest.raises(UserError, match=told):
        read_list(written(tmp_path, SMALL.replace(before, after)))


def test_dotted_keys_reach_into_sections_and_add_none() -> None:
    values = {"a": {"b": {"c": 1}}, "d": [1]}
    changed, unknown = overridden(values, {"a.b.c": 2, "a.x": 3, "d.e": 4})
    assert changed == {"a": {"b": {"c": 2}}, "d": [1]}
    assert unknown == ["a.x", "d.e"]
    assert values["a"] == {"b": {"c": 1}}
    assert dict(dotted(values)) == {"a.b.c": 1, "d": [1]}
