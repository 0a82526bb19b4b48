"""Whatever a user may do wrong: one line, exit code 2, nothing half-written left behind."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from s2igan.engine.stage import Stage
from s2igan.engine.strict_yaml import read_yaml
from stages import download, embed, evaluate, features, sample, train_rdg, train_sen, tts
from tests.corpora.makers import Flowers, prepare_folder, prepared_rows, write_index

ROOT = Path(__file__).parents[2]
STAGES: list[Stage[Any]] = [
    module.STAGE
    for module in (download, tts, features, train_sen, embed, train_rdg, sample, evaluate)
]


class Workplace:
    """An empty repository with the smoke preset's parameters."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.params: Any = read_yaml(ROOT / "presets" / "smoke.yaml")
        self.data = folder / "data"
        self.archives = folder / "archives"
        shutil.copytree(ROOT / "data", self.data)
        self.archives.mkdir()

    def run(self, stage: Stage[Any]) -> int:
        """Run a stage with every path inside of this folder."""
        (self.folder / "params.yaml").write_text(yaml.safe_dump(self.params))
        paths = {name: self.folder / "out" / name for name in (*stage.inputs, *stage.outputs)}
        paths |= {"params": self.folder / "params.yaml", "manifests": self.data}
        taken = ["params", *stage.inputs, *stage.outputs]
        return stage.main([word for name in taken for word in (f"--{name}", str(paths[name]))])

    def left_behind(self) -> list[str]:
        """Return what lies among the outputs."""
        out = self.folder / "out"
        return sorted(str(path.relative_to(out)) for path in out.rglob("*"))


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workplace:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("S2IGAN_ARCHIVES", "archives")
    monkeypatch.setenv("S2IGAN_WORKERS", "1")
    return Workplace(tmp_path)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the one line that is neither progress nor the device's name."""
    lines = [
        line
        for line in capsys.readouterr().err.splitlines()
        if not line.startswith("device: ") and " %, " not in line
    ]
    assert len(lines) == 1
    return lines[0]


def unknown_key(workplace: Workplace) -> None:
    workplace.params["rdg"]["use_rss"] = True


def wrong_type(workplace: Workplace) -> None:
    workplace.params["sen"]["steps"] = "many"


def no_file_of_parameters(workplace: Workplace) -> None:
    workplace.params = None


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage.name))
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (unknown_key, "rdg.use_rss: unknown key"),
        (wrong_type, "sen.steps: got 'many'"),
        (no_file_of_parameters, "params.yaml"),
    ],
)
def test_wrong_parameters_stop_every_stage(
    workplace: Workplace,
    capsys: pytest.CaptureFixture[str],
    stage: Stage[Any],
    change: Callable[[Workplace], None],
    words: str,
) -> None:
    change(workplace)
    assert workplace.run(stage) == 2
    assert words in told(capsys)
    assert workplace.left_behind() == []


@pytest.mark.parametrize("stage", STAGES[1:], ids=lambda stage: str(stage.name))
def test_a_missing_folder_stops_every_stage_that_reads_one(
    workplace: Workplace, capsys: pytest.CaptureFixture[str], stage: Stage[Any]
) -> None:
    assert workplace.run(stage) == 2
    assert "no such file or folder" in told(capsys)
    assert workplace.left_behind() == []


def prepared(workplace: Workplace) -> Path:
    workplace.params["corpus"] |= {"kind": "recorded", "edition": "field_notes", "val_classes": 0}
    workplace.params["tts"]["engine"] = "recorded"
    return prepare_folder(workplace.archives)


def flowers(workplace: Workplace, change: Callable[[Flowers], object] = lambda _: None) -> None:
    workplace.params["corpus"] |= {"kind": "oxford102", "edition": "published", "val_classes": 0}
    made = Flowers()
    change(made)
    manifest = made.write(workplace.archives)
    content: Any = read_yaml(manifest)
    content["editions"] = {"published": content["editions"]["tiny"]}
    (workplace.data / "oxford102.yaml").write_text(yaml.safe_dump(content))
    manifest.unlink()


def corrupt_picture(workplace: Workplace) -> None:
    path = prepared(workplace) / "picture_3.jpg"
    path.write_bytes(path.read_bytes()[:300])


def species_with_one_picture(workplace: Workplace) -> None:
    folder = prepared(workplace)
    write_index(folder, prepared_rows(folder)[2:])


def missing_recording(workplace: Workplace) -> None:
    (prepared(workplace) / "speech_5_1.wav").unlink()


def recording_that_is_no_audio(workplace: Workplace) -> None:
    (prepared(workplace) / "speech_5_1.wav").write_bytes(b"no audio at all")


def no_prepared_folder(workplace: Workplace) -> None:
    shutil.rmtree(prepared(workplace))


def unlisted_empty_caption(workplace: Workplace) -> None:
    def change(made: Flowers) -> None:
        made.captions[made.labels[0], 1] = b"flower 1 is red\n{}\n"

    flowers(workplace, change)


def truncated_archive(workplace: Workplace) -> None:
    flowers(workplace)
    path = workplace.archives / "captions.tar.gz"
    path.write_bytes(path.read_bytes()[:200])


def no_archives(workplace: Workplace) -> None:
    flowers(workplace)
    (workplace.archives / "labels.mat").unlink()


def missing_manifest(workplace: Workplace) -> None:
    (workplace.data / "minibirds.yaml").unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (corrupt_picture, "picture_3.jpg"),
        (species_with_one_picture, "class 'species 0' has 1 picture; at least 2"),
        (missing_recording, "no such recording as speech_5_1.wav"),
        (recording_that_is_no_audio, "speech_5_1.wav"),
        (no_prepared_folder, "no index.csv"),
        (unlisted_empty_caption, "image_00001"),
        (truncated_archive, "captions.tar.gz"),
        (no_archives, "labels.mat"),
        (missing_manifest, "minibirds.yaml"),
    ],
)
def test_a_corpus_with_a_defect_is_not_taken(
    workplace: Workplace,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Workplace], None],
    words: str,
) -> None:
    change(workplace)
    assert workplace.run(download.STAGE) == 2
    assert words in told(capsys)
    assert workplace.left_behind() == []


def test_text_without_a_recording_cannot_be_passed_through(
    workplace: Workplace, capsys: pytest.CaptureFixture[str]
) -> None:
    flowers(workplace)
    workplace.params["tts"]["engine"] = "recorded"
    assert workplace.run(tts.STAGE) == 2
    assert "tts.engine: got 'recorded'" in told(capsys)


def test_a_full_disk_leaves_nothing_half_written(
    workplace: Workplace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, os.strerror(28))

    prepared(workplace)
    monkeypatch.setattr(os, "fsync", full)
    assert workplace.run(download.STAGE) == 2
    assert "the disk is full" in told(capsys)
    assert workplace.left_behind() == []


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: str(stage.name))
def test_a_missing_argument_is_told_with_exit_code_2(
    capsys: pytest.CaptureFixture[str], stage: Stage[Any]
) -> None:
    with pytest.raises(SystemExit) as caught:
        stage.main([])
    assert caught.value.code == 2
    assert "required" in capsys.readouterr().err


def test_a_python_without_the_packages_is_told_in_one_line() -> None:
    # -S leaves out site-packages, as the Python of a system without the project's environment has.
    command = [sys.executable, "-S", "-m", "stages.tts", "--help"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    (line,) = ran.stderr.splitlines()
    assert "got no package" in line
    assert "source .venv/bin/activate" in line


def test_who_interrupts_what_a_stage_imports_is_shown_no_stack(tmp_path: Path) -> None:
    (tmp_path / "pydantic.py").write_text("import signal\nsignal.raise_signal(signal.SIGINT)\n")
    ran = subprocess.run(
        [sys.executable, "-m", "stages.embed"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (-signal.SIGINT, "")
