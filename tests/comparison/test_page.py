"""The written page on outcomes that are known."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from s2igan.comparison.costs_section import Spendings, costs_section
from s2igan.comparison.differences import compare
from s2igan.comparison.figures import RESAMPLES, RESAMPLING_SEED, TABLE_1, Entry
from s2igan.comparison.markdown import duration, number
from s2igan.comparison.outcome import CLASSES, GENERATION, RETRIEVAL, Failure, Outcome
from s2igan.comparison.page import Page
from s2igan.comparison.picture import systems_picture
from s2igan.comparison.published import gaps, published_section, read_published
from s2igan.comparison.variants import Row, TableList
from s2igan.config import Params, read_params
from s2igan.engine.costs import Cost
from s2igan.engine.pictures import decode_picture
from s2igan.errors import UserError
from s2igan.metrics.intervals import bootstrap_sums
from tests.comparison.results import (
    ALL_PAIRS,
    DESCRIBED,
    ROOT,
    entry,
    figure,
    outcome,
    params,
    variant,
)

BASE = [0.2, 0.4, 0.6, 0.8, 0.5, 0.5]


def listing(*names: str) -> TableList:
    rows = [Row(name=name, title=name) for name in names]
    return TableList(
        title="A comparison",
        caption="Six steps in place of many.",
        params="presets/smoke.yaml",
        reference="s2igan",
        seeds=[1],
        rows=rows,
    )


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n")[1].split("\n## ")[0]


def page(*entries: Entry, failures: list[Failure] | None = None) -> Page:
    spendings: Spendings = {e.name: [{} for _ in e.outcomes] for e in entries}
    listed = listing(*(e.name for e in entries))
    return Page(listed, entries, failures or [], ["train_rdg"], spendings)


@pytest.fixture
def text(tmp_path: Path) -> str:
    reference = entry("s2igan", outcome(BASE, 20.0), outcome(BASE, 22.0, seed=2))
    better = entry("better", outcome([v + 0.1 for v in BASE], 18.5, row="better"))
    mixed = [v + d for v, d in zip(BASE, [0.1, -0.1, 0.05, -0.05, 0.02, -0.01], strict=True)]
    same = entry("same", outcome(mixed, 20.5, row="same", protocol="Euclid"), note="Not odd.")
    failed = [Failure(variant("lost"), "train_rdg: the disk is full")]
    written = page(reference, better, same, failures=failed).write(tmp_path / "table.md")
    assert [path.name for path in written] == [
        "table.md",
        "table-systems.png",
        "table-differences.tsv",
    ]
    return written[0].read_text()


def glued(text: str) -> list[str]:
    """Lists that MkDocs would show as a part of the sentence before."""
    return re.findall(r"(?m)^(?!\* ).+\n\* .*", text)


def test_lists_stand_apart_from_the_sentence_before(text: str) -> None:
    assert glued(text) == glued("\n".join(published_section("cub", params(), {}))) == []


def test_known_values_stand_in_the_table(text: str) -> None:
    figures = section(text, "Figures")
    assert "| title of s2igan | 2 | 0.500 ± 0.000<br>[" in figures
    assert "| 21.00 ± 1.414 |" in figures
    assert "| title of better | 1 | 0.600<br>[" in figures
    assert "| *chance* |  | 0.050 | – |" in figures
    assert "| *real pictures* |  | 0.875 | 0.250 |" in figures
    assert "* title of same: Not odd." in figures
    assert "keywords, all, keywords, colours: absent, no attributes are known" in figures


def test_levels_of_chance_that_differ_stand_as_a_range(tmp_path: Path) -> None:
    entries = (
        entry("s2igan", outcome(BASE, chance=0.1), outcome(BASE, seed=2, chance=0.05)),
        entry("other", outcome(BASE, row="other", chance=0.25)),
    )
    (written, *_) = page(*entries).write(tmp_path / "table.md")
    assert "| *chance* |  | 0.050 – 0.250 | – |" in section(written.read_text(), "Figures")


def test_real_pictures_stand_under_the_figure_that_is_taken_of_drawn_ones() -> None:
    for column in TABLE_1:
        if column.path.startswith("fidelity/generated/"):
            assert column.floor == column.path.replace("generated", "floor")


def test_the_interval_of_a_row_is_of_the_means_over_its_seeds() -> None:
    other = [0.9, 0.1, 0.3, 0.2, 0.8, 0.4]
    found = entry("s2igan", outcome(BASE), outcome(other, seed=2)).summary(ALL_PAIRS)
    assert found is not None
    sums = 10 * np.mean([BASE, other], axis=0)
    expected = bootstrap_sums(sums, np.full(6, 10), RESAMPLING_SEED, RESAMPLES)
    assert found.interval == pytest.approx(expected)


def test_a_printed_interval_is_that_of_a_single_seed() -> None:
    mean = {"mAP": figure(0.5, low=0.4, high=0.6)}
    files = {RETRIEVAL: json.dumps({"speech_to_image": mean}).encode()}
    one, two = (Outcome(variant(seed=seed), files.get) for seed in (1, 2))
    for outcomes, interval in (([one], (0.4, 0.6)), ([one, two], None)):
        found = entry("s2igan", *outcomes).summary("retrieval/speech_to_image/mAP")
        assert found is not None
        assert found.interval == interval


def test_not_distinguishable_stands_where_the_interval_holds_zero_alone(text: str) -> None:
    lines = section(text, "Differences").splitlines()
    better = next(line for line in lines if "title of better" in line)
    same = next(line for line in lines if "title of same" in line)
    assert "**+0.100**<br>[+0.100, +0.100]" in better
    assert "not distinguishable" not in better
    assert "not distinguishable" in same
    assert "**" not in same


def test_figures_of_whole_sets_are_compared_by_seed(text: str) -> None:
    assert "no class-wise form" in text
    assert "−1.500 (one seed)" in section(text, "Differences")


def test_what_is_missing_is_told(text: str) -> None:
    assert "* lost-s1: train_rdg: the disk is full" in text
    assert "Six steps in place of many." in text


def test_shared_sentences_stand_once_and_departures_by_row(text: str) -> None:
    protocol = section(text, "Protocol")
    assert protocol.count("the corpus") == 1
    assert "title of same: mAP, all pairs: Euclid" in protocol


def test_the_table_of_differences_holds_every_class_wise_figure(tmp_path: Path) -> None:
    reference = entry("s2igan", outcome(BASE))
    better = entry("better", outcome([v + 0.1 for v in BASE], row="better"))
    page(reference, better).write(tmp_path / "t.md")
    lines = (tmp_path / "t-differences.tsv").read_text().splitlines()
    assert lines[0].split("\t") == [
        *("row", "figure", "seeds", "difference", "low", "high", "verdict"),
    ]
    assert lines[1:] == [f"better\t{ALL_PAIRS}\t1\t0.1\t0.1\t0.1\thigher"]


def test_what_a_page_has_no_more_does_not_stay_beside_it(tmp_path: Path) -> None:
    reference = entry("s2igan", outcome(BASE))
    page(reference, entry("row", outcome(BASE, row="row"))).write(tmp_path / "t.md")
    assert (tmp_path / "t-differences.tsv").is_file()
    whole = outcome(BASE)
    bare = Outcome(whole.variant, lambda path: None if "row" in path else whole.read(path))
    page(entry("s2igan", bare)).write(tmp_path / "t.md")
    assert [path.name for path in tmp_path.iterdir()] == ["t.md"]


def test_rows_without_a_common_class_are_compared_as_a_whole() -> None:
    renamed = outcome([value + 0.1 for value in BASE], row="row")
    told = renamed.read(CLASSES)
    assert told is not None
    files = {CLASSES: told.replace(b"class ", b"other "), GENERATION: renamed.read(GENERATION)}
    row = entry("row", Outcome(renamed.variant, files.get))
    found = compare(row, entry("s2igan", outcome(BASE)), ALL_PAIRS)
    assert found is not None
    assert found.paired is None
    assert found.value == pytest.approx(0.1)


def test_only_common_seeds_are_compared() -> None:
    reference = entry("s2igan", outcome(BASE), outcome([v + 1 for v in BASE], seed=2))
    row = entry("row", outcome(BASE, row="row"), outcome([9.0] * 6, seed=3, row="row"))
    found = compare(row, reference, ALL_PAIRS)
    assert found is not None
    assert found.by_seed == {1: 0.0}
    assert found.value == 0.0
    assert compare(entry("x", outcome(BASE, seed=7)), reference, ALL_PAIRS) is None


def test_seeds_are_averaged_before_classes_are_drawn() -> None:
    reference = entry("s2igan", outcome(BASE), outcome(BASE, seed=2))
    ups_and_downs = [outcome([v + d for v in BASE], seed=s) for s, d in ((1, 0.3), (2, -0.1))]
    found = compare(entry("row", *ups_and_downs), reference, ALL_PAIRS)
    assert found is not None
    assert found.paired is not None
    ends = (found.paired.value, found.paired.low, found.paired.high)
    assert ends == pytest.approx((0.1, 0.1, 0.1))


def test_a_page_without_its_reference_says_so(tmp_path: Path) -> None:
    alone = page(entry("other", outcome(BASE, row="other")))
    listed = listing("s2igan", "other")
    written = Page(listed, alone.entries, [], [], alone.spendings).write(tmp_path / "t.md")
    assert [path.suffix for path in written] == [".md", ".png"]
    assert "The row of reference, s2igan, has no outcome." in written[0].read_text()


def test_the_picture_holds_the_described_pictures_and_one_row_per_system() -> None:
    picture = systems_picture(
        [entry("a", outcome(BASE, shade=40)), entry("b", outcome(BASE, shade=200))]
    )
    assert picture is not None
    side = 96
    assert picture.shape == (3 * side + 12, 190 + 2 * side, 3)
    for row, shade in enumerate((DESCRIBED, 40, 200)):
        top = row * (side + 6)
        assert set(np.unique(picture[top : top + side, 190:])) == {shade}
    assert (picture[:side, :190] < 128).any()


def test_a_title_that_no_font_can_set_gives_way_to_the_name_of_its_row() -> None:
    def shown(title: str) -> bytes:
        picture = systems_picture([replace(entry("a", outcome(BASE)), title=title)])
        assert picture is not None
        return picture.tobytes()

    assert shown("カワセミ") == shown("a") != shown("Ohne RS, größer")


def test_rows_without_pictures_have_none(tmp_path: Path) -> None:
    path = tmp_path / "t.md"
    whole = outcome(BASE)
    bare = entry(
        "s2igan", type(whole)(whole.variant, lambda p: None if "row" in p else whole.read(p))
    )
    assert [file.name for file in page(bare).write(path)] == ["t.md"]
    assert decode_picture(outcome(BASE).read("plots/samples_row.png") or b"", "row").shape == (
        16,
        16,
        3,
    )


def spent(key: str, seconds: float) -> Cost:
    machine = "A processor, 2 cores"
    return Cost("", key, "", {}, True, seconds, 2048, None, "cpu", machine, "2026-01-02")


def test_costs_name_shared_stages_once(tmp_path: Path) -> None:
    reference, row = entry("s2igan", outcome(BASE)), entry("row", outcome(BASE, row="row"))
    spendings = {
        "s2igan": [{"train_sen": spent("s", 90), "train_rdg": spent("a", 600)}],
        "row": [{"train_sen": spent("s", 90), "train_rdg": spent("b", 7200)}],
    }
    stages = ["train_sen", "train_rdg"]
    whole = Page(listing("s2igan", "row"), [reference, row], [], stages, spendings)
    text = whole.write(tmp_path / "t.md")[0].read_text()
    assert "Shared by all rows, run once: train_sen 2 min, 2.0 GiB." in text
    assert "| title of row | 2.0 h | 2.0 GiB |" in text
    assert "Made on A processor, 2 cores, 2026-01-02." in text


def test_a_stage_that_the_ledger_knows_of_some_rows_alone_is_not_called_shared() -> None:
    entries = [entry("s2igan", outcome(BASE)), entry("row", outcome(BASE, row="row"))]
    spendings: Spendings = {"s2igan": [{"train_sen": spent("s", 90)}], "row": [{}]}
    text = "\n".join(costs_section(entries, ["train_sen"], spendings))
    assert "Shared" not in text
    assert "| title of s2igan | 2 min | 2.0 GiB |" in text


def test_nothing_published_is_said_of_other_pictures() -> None:
    assert "no figure of this page compares" in published_section("minibirds", params(), {})[0]


def test_published_figures_stand_beside_ours() -> None:
    lines = "\n".join(published_section("cub", params(), {"s2igan": {"mAP": 1.25}}))
    assert "9.04 [1.250]" in lines
    assert "4.29 ± 0.04" in lines
    assert "ours does not compare" in lines
    for remembered in ("9.88", "50.38", "54.76", "3.23"):
        assert remembered not in "\n".join(published_section("oxford102", params(), {}))


def paper_with(preset: str, section: str, **changes: object) -> Params:
    paper = read_params(ROOT / "presets" / f"{preset}.yaml")
    changed = getattr(paper, section).model_copy(update=changes)
    return paper.model_copy(update={section: changed})


@pytest.mark.parametrize("preset", ["cub", "oxford102"])
def test_at_paper_scale_fid_compares_and_retrieval_by_the_authors_choice(
    preset: str,
) -> None:
    told = gaps(paper_with(preset, "sen", keep="best_test_as_published"))
    assert {name for name, reasons in told.items() if not reasons} == {"FID", "SEN_mAP"}
    assert gaps(params())["FID"]


@pytest.mark.parametrize(
    ("section", "changes", "figure", "gap"),
    [
        ("evaluate", {}, "mAP", "pictures scaled as the network wants, unlike the authors'"),
        ("evaluate", {"backbone": "compact"}, "mAP", "features of compact"),
        ("evaluate", {}, "IS", "no extractor fine-tuned on the test classes"),
        (
            "evaluate",
            {"is_backbone": "fine_tuned"},
            "IS",
            "another network that was fine-tuned on the test classes",
        ),
        ("sen", {}, "SEN_mAP", "weights not chosen by test mAP, as the authors' were"),
    ],
)
def test_what_keeps_one_figure_from_comparing_is_told(
    section: str, changes: dict[str, object], figure: str, gap: str
) -> None:
    assert gaps(paper_with("cub", section, **changes))[figure] == [gap]


@pytest.mark.parametrize(
    ("section", "changes", "gap"),
    [
        ("rdg", {"base_size": 16}, "64 px in place of 256"),
        ("sample", {"split": "val"}, "validation classes"),
        ("sample", {"captions_per_picture": 1}, "1 of 10 captions per picture"),
        ("sample", {"noise": "per_utterance"}, "z drawn for each caption"),
        ("sample", {"ca_noise": False}, "F_ca at its mean"),
        ("sample", {"truncation": 0.5}, "noise truncated at 0.5"),
        ("corpus", {"edition": "304px"}, "the edition 304px"),
        ("corpus", {"val_classes": 20}, "20 training classes held out"),
        ("tts", {"engine": "espeak"}, "another voice than the paper's"),
    ],
)
def test_what_keeps_drawn_pictures_from_comparing_is_told(
    section: str, changes: dict[str, object], gap: str
) -> None:
    as_published = gaps(read_params(ROOT / "presets" / "oxford102.yaml"))
    of_speech = section in ("corpus", "tts")
    assert gaps(paper_with("oxford102", section, **changes)) == {
        name: [*reasons, *([gap] if of_speech or name != "SEN_mAP" else [])]
        for name, reasons in as_published.items()
    }


def test_the_authors_recordings_are_the_voice_of_the_paper() -> None:
    spoken = paper_with("oxford102", "tts", engine="recorded")
    theirs = spoken.corpus.model_copy(update={"authors_speech": True})
    assert gaps(spoken.model_copy(update={"corpus": theirs}))["FID"] == []


def test_every_published_source_is_named() -> None:
    known = read_published()
    used = {s for t in known.tables for figure in t.figures for s in figure.source}
    assert used == set(known.sources)


def test_numbers_are_short() -> None:
    assert [number(x) for x in (0.12345, -12.345, 1234.5)] == ["0.123", "−12.35", "1234.5"]
    assert number(0.5, signed=True) == "+0.500"
    assert [duration(x) for x in (12, 600, 9000)] == ["12 s", "10 min", "2.5 h"]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (GENERATION, b"<<<<<<< HEAD\n{}\n=======\n"),
        (GENERATION, b"3"),
        (GENERATION, b"\xff\xfe"),
        (CLASSES, b"figure\tclass\tsum\tcount\nmAP\tbird\t\xff\t1\n"),
    ],
)
def test_figures_that_cannot_be_read_are_told_by_their_experiment(
    path: str, content: bytes
) -> None:
    whole = outcome([0.5, 0.25])
    torn = Outcome(whole.variant, lambda name: content if name == path else whole.read(name))
    with pytest.raises(UserError, match=rf"^{path} of s2igan-s1; got .*; expected"):
        getattr(torn, "classes" if path == CLASSES else "generation")
