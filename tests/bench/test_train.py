"""The benchmark on the smallest preset: every variant runs, fails in one line, and is written."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import train
from bench.matmul import matmul_rates
from bench.pairs import Variant, take_turns
from bench.reference import open_reference
from bench.speech_subject import PlainLogMel, Speech
from bench.subjects import Setting
from bench.synthetic import write_tables
from bench.worker import warm_up
from s2igan.config import read_params
from s2igan.engine import device
from s2igan.speech.mel import LogMel

SMOKE = "presets/smoke.yaml"


def test_a_pair_is_measured_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "bench.json"
    monkeypatch.setattr(train, "matmul_rates", partial(matmul_rates, repeats=0))
    arguments = ["--params", SMOKE, "--work", "sample", "--rounds", "2", "--steps", "1"]
    assert train.main([*arguments, "--out", str(out)]) == 0
    report = json.loads(out.read_text(encoding="utf-8"))
    rows = {row["variant"]: row for row in report["rows"]}
    assert set(rows) == {"ours", "plain"}
    assert all(len(row["rounds"]) == 2 for row in rows.values())
    assert rows["plain"]["times_plain"] == 1
    # Folded upsampling leaves fewer products of the same pictures.
    assert 0 < rows["ours"]["gflop_per_image"] <= rows["plain"]["gflop_per_image"]
    assert "| sample, default | ours |" in capsys.readouterr().out


def test_speech_goes_on_where_the_step_before_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tables(tmp_path / "corpus", pictures=8)
    heard: list[int] = []
    monkeypatch.setattr(LogMel, "__call__", lambda _, samples: heard.append(len(samples)))
    speech = Speech(read_params(Path(SMOKE)), tmp_path, plain=True)
    for _ in range(2):
        speech.step()
    assert len(heard) == 2 * speech.images
    assert min(heard) > 22050  # a sentence lasts more than a second
    assert next(speech._texts)[0] == 2 * speech.images


def test_plain_log_mel_has_the_same_frames() -> None:
    mel = read_params(Path(SMOKE)).features.mel.model_dump()
    signal = torch.randn(4000, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)
    ours, plain = (front(sample_rate_hz=22050, **mel)(signal) for front in (LogMel, PlainLogMel))
    torch.testing.assert_close(plain, ours, atol=1e-3, rtol=1e-3)


def test_a_variant_that_fails_says_so_in_one_line() -> None:
    variant = Variant("ours", Setting(SMOKE, "nowhere", "rdg"))
    take_turns([variant], rounds=1, steps=1)
    assert variant.problem is not None
    assert "\n" not in variant.problem
    assert "nowhere" in variant.problem


def test_a_table_that_lacks_a_figure_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "matmul_rates", lambda _: {})
    monkeypatch.setattr(train, "take_turns", lambda *_, **__: None)
    assert train.main(["--params", SMOKE, "--work", "sample", "--artifacts", "nowhere"]) == 1
    assert "| sample, default | ours | not run |" in capsys.readouterr().out


def test_a_processor_without_bfloat16_is_measured_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "_computes_bfloat16", lambda _: False)
    setting = Setting(train.PAPER, "", "rdg", precision="bfloat16")
    assert "ours in bfloat16" not in [v.name for v in train.variants_of(setting, None, [])]
    rates = matmul_rates(torch.device("cpu"), repeats=0)
    assert list(rates) == ["float32"]
    turn = {"seconds": 2.0, "cpu_seconds": 2.0, "peak_bytes": 0.0}
    row = Variant("ours", setting, images=4, flops_per_image=1e9, rounds=[turn]).row("rdg", rates)
    assert row["precision"] == "float32"
    assert row["share_of_matmul"] == pytest.approx(2e9 / rates["float32"])


def test_the_reference_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="needs a CUDA device"):
        open_reference(str(tmp_path), Setting(SMOKE, "", "rdg"))
    with pytest.raises(RuntimeError, match=r"no steps/trainer\.py"):
        open_reference(str(tmp_path), Setting(SMOKE, "", "rdg", device="cuda"))


def test_the_authors_loop_runs_once_for_both_works_of_sen(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def taken(variants: list[Variant], **_: int) -> None:
        for variant in variants:
            ran.append(variant.name)
            seconds = 4.0 if variant.reference else 2.0
            turn = {"seconds": seconds, "cpu_seconds": seconds, "peak_bytes": 0.0}
            variant.images, variant.rounds = 8, [turn]

    monkeypatch.setattr(train, "take_turns", taken)
    args = train.build_parser().parse_args(["--reference", "DIR"])
    works = {kind: Setting(train.PAPER, "", kind) for kind in ("sen", "sen_live")}
    rows = train.measure(args, works, {"float32": 1.0, "bfloat16": 1.0})
    assert ran.count("reference") == 1
    assert ran.count("ours") == 2
    against = {row["work"]: row["times_reference"] for row in rows if row["variant"] == "ours"}
    assert against == {"sen": 2.0, "sen_live": 2.0}


@pytest.mark.parametrize(
    ("device", "kind", "steps"),
    [("cpu", "sen", 2), ("cpu", "rdg", 2), ("cuda", "rdg", 6), ("cuda", "sen", 66)],
)
def test_a_gpu_has_its_graphs_before_the_first_step_that_counts(
    device: str, kind: Any, steps: int
) -> None:
    assert warm_up(Setting("params.yaml", "artifacts", kind, device=device)) == steps
