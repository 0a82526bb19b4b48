"""The commands speak, info and export as a user types them."""

import json
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from PIL import Image

from s2igan.cli import main
from s2igan.serving import locate
from tests.serving.makers import RATE, babble, write_model, write_pipeline

# What a plain installation brings: the dependencies of pyproject.toml and what they need.
REFUSED = """
    alembic aiobotocore boto3 botocore cryptography dvc espeakng_loader filelock gdown gradio
    matplotlib mlflow num2words pandas pyarrow requests s3fs scipy sounddevice sqlalchemy
    torch_fidelity tqdm yaml
"""

BLOCKER = f"""
import sys
class Refusal:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {REFUSED.split()!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refusal())
from s2igan.cli import main
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder outside any repository, with a model and three clips."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setattr(locate, "DEFAULT", write_model(tmp_path / "default"))
    for seed, name in enumerate(("a.wav", "b.flac", "c.ogg")):
        soundfile.write(tmp_path / name, babble(seed), RATE)
    return tmp_path


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return image.size


def pixels(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)


def test_one_clip_gives_one_picture(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speak", "a.wav", "-o", "bird.png"]) == 0
    assert size(here / "bird.png") == (32, 32)
    assert capsys.readouterr().out == "bird.png: a picture of 32 × 32 pixels\n"


def test_clips_become_rows_and_draws_columns(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["speak", "a.wav", "b.flac", "c.ogg", "-n", "4", "-o", "grid.png"]) == 0
    assert size(here / "grid.png") == (4 * 32 + 3 * 2, 3 * 32 + 2 * 2)
    assert "12 pictures of 3 recordings, 4 each; 134 × 100 pixels" in capsys.readouterr().out
    assert main(["speak", "b.flac", "-n", "4", "-o", "row.png"]) == 0
    np.testing.assert_array_equal(pixels(here / "grid.png")[34:66], pixels(here / "row.png"))


def test_a_seed_gives_the_same_bytes(here: Path) -> None:
    for name, seed in (("one", 7), ("two", 7), ("three", 8)):
        assert main(["speak", "a.wav", "-n", "2", "--seed", str(seed), "-o", f"{name}.png"]) == 0
    one, two, three = ((here / f"{name}.png").read_bytes() for name in ("one", "two", "three"))
    assert one == two != three


def test_timings_name_every_part(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speak", "a.wav", "--timings", "-o", str(here / "a.png")]) == 0
    told = capsys.readouterr().out
    for part in ("imports", "load", "recordings", "front end", "embed", "draw", "write", "all"):
        assert f"\n  {part}" in told
    assert told.rstrip().endswith("100%")


def test_the_models_voice_speaks_a_text(here: Path) -> None:
    pytest.importorskip("espeakng_loader")
    assert main(["speak", "--text", "a red bird", "--text", "a blue bird", "-o", "t.png"]) == 0
    assert size(here / "t.png") == (32, 66)


def no_finite(path: Path) -> None:
    soundfile.write(path, np.full(RATE, np.inf, np.float32), RATE, subtype="FLOAT")


BAD: dict[str, Callable[[Path], object]] = {
    "no such file": str,
    "an empty file": Path.touch,
    "do not decode": lambda path: path.write_text("red crown, black wings\n" * 99),
    "of silence": lambda path: soundfile.write(path, np.zeros(RATE), RATE),
    "not numbers": no_finite,
    "at most 30 s": lambda path: soundfile.write(path, np.zeros(7200 * 100), 8000),
    "at least 0.2 s": lambda path: soundfile.write(path, babble(seconds=0.1), RATE),
}


@pytest.mark.parametrize("said", BAD)
def test_a_bad_clip_among_good_ones_is_told_in_one_line(
    here: Path, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    BAD[said](here / "bad.wav")
    assert main(["speak", "a.wav", "bad.wav", "-o", "grid.png"]) == 2
    told = capsys.readouterr().err.splitlines()
    complaints = [line for line in told if not line.startswith("device:")]
    assert len(complaints) == 1
    assert said in complaints[0]
    assert "bad.wav" in complaints[0]
    assert not (here / "grid.png").exists()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "expected a CLIP, --text or --microphone"),
        (["a.wav", "-o", "bird.jpg"], "ends in .png"),
        (["a.wav", "-o", "a.wav/bird.png"], "expected a file to write"),
        (["a.wav", "--model", "nowhere"], "no model there"),
        (["--text", "  "], "got no words; expected a sentence of at most 1000 characters"),
        (["--text", "bird " * 999], "got 4995 characters; expected a sentence of at most 1000"),
        (["--text", "..."], "text of the sentence; got '...', of which espeak-ng says nothing"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["speak", *arguments]) == 2
    told = capsys.readouterr().err.splitlines()
    assert said in told[-1]
    assert len([line for line in told if not line.startswith("device:")]) == 1


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    "arguments",
    [
        "-n 0",
        "-n 65",
        "-n two",
        "--seed -1",
        "--truncation 0",
        "--truncation nan",
        "--microphone 0",
    ],
)
def test_numbers_that_make_no_sense_are_refused(
    arguments: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["speak", "a.wav", *arguments.split()])
    assert caught.value.code == 2
    assert "error: argument" in capsys.readouterr().err


class PortAudioError(Exception):
    """As sounddevice has it."""


def microphone(heard: npt.NDArray[np.float32] | Exception) -> types.ModuleType:
    module = types.ModuleType("sounddevice")

    def rec(frames: int, **settings: object) -> npt.NDArray[np.float32]:
        assert settings == {
            "samplerate": RATE,
            "channels": 1,
            "dtype": "float32",
            "blocking": True,
        }
        if isinstance(heard, Exception):
            raise heard
        return heard[:frames, None]

    vars(module).update(rec=rec, PortAudioError=PortAudioError)
    return module


def test_the_microphone_is_listened_to(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", microphone(babble(0, seconds=9)))
    assert main(["speak", "--microphone", "1.5", "-o", "mine.png"]) == 0
    assert size(here / "mine.png") == (32, 32)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("module", "said"),
    [
        (None, r"install `s2igan[voice]`"),
        (microphone(PortAudioError("Error querying device -1")), "Error querying device -1"),
        (microphone(np.zeros(9 * RATE, np.float32)), "5 s of silence"),
    ],
    ids=["not installed", "no device", "muted"],
)
def test_no_microphone_is_told_in_one_line(
    module: types.ModuleType | None,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", module)
    assert main(["speak", "--microphone"]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]


def test_a_microphone_without_portaudio_is_told_what_to_install(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "sounddevice.py").write_text("raise OSError('PortAudio library not found')")
    monkeypatch.syspath_prepend(here)
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    assert main(["speak", "--microphone"]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "got PortAudio library not found" in told
    assert "install PortAudio (Debian: libportaudio2), or record a file" in told


def test_without_the_voice_a_text_is_told_in_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    assert main(["speak", "--text", "a bird", "-o", str(here / "t.png")]) == 2
    assert "no package espeakng-loader" in capsys.readouterr().err.splitlines()[-1]


def test_info_tells_what_the_model_was_trained_on(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pipeline(here / "pipeline")
    assert main(["info", "--model", "pipeline"]) == 0
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 100
    for said in ("minibirds", "en-us+m3", "16,000 Hz", "32 × 32", "Apache-2.0", "0.985", "0.750"):
        assert said in told
    long = f"{'p' * 60}  {'q' * 60}"
    write_pipeline(here / long)
    assert main(["info", "--model", long]) == 0
    assert f"folder      {long}" in capsys.readouterr().out


@pytest.mark.usefixtures("here")
def test_a_model_without_a_card_has_not_much_to_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    told = capsys.readouterr().out
    assert "a model without a card" in told
    assert "none were taken of this model" in told


def test_an_exported_folder_is_all_that_speaking_needs(
    here: Path, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pipeline(here / "pipeline")
    rdg = here / "pipeline" / "artifacts" / "rdg"
    assert main(["export", "--rdg", str(rdg), "-o", "out", "--precision", "float32"]) == 0
    assert capsys.readouterr().out.startswith("out: 0.")
    assert main(["speak", "a.wav", "-n", "2", "--model", str(rdg), "-o", "one.png"]) == 0
    (here / "pipeline").rename(here / "gone")
    speak = ["speak", "a.wav", "-n", "2", "--model", "out", "-o", "two.png"]
    assert plainly([speak, ["info", "--model", "out"]], here, repository) == [(0, ""), (0, "")]
    assert (here / "one.png").read_bytes() == (here / "two.png").read_bytes()


def test_the_repositorys_own_model_is_exported_from_any_folder_of_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pipeline(here)
    (here / "notebooks").mkdir()
    monkeypatch.chdir(here / "notebooks")
    assert main(["export", "-o", "out"]) == 0
    card = json.loads((here / "notebooks" / "out" / "card.json").read_text(encoding="utf-8"))
    assert card["corpus"]["kind"] == "minibirds"


@pytest.mark.parametrize("command", [["speak", "a.wav"], ["info"], ["export", "-o", "out"]])
def test_an_empty_name_of_a_model_is_not_taken_for_the_repositorys_own(
    command: list[str], here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pipeline(here)
    assert main([*command, "--model", ""]) == 2
    assert "s2igan: model ''; got an empty name; expected" in capsys.readouterr().err
    assert not (here / "out").exists()


def plainly(commands: list[list[str]], folder: Path, repository: Path) -> list[tuple[int, str]]:
    """Run commands as a plain installation would; return their exit codes and complaints."""
    script = (
        f"{BLOCKER}import contextlib, io, json\n"
        f"for command in {commands!r}:\n"
        "    told = io.StringIO()\n"
        "    with contextlib.redirect_stderr(told), contextlib.redirect_stdout(io.StringIO()):\n"
        "        code = main(command)\n"
        "    print(json.dumps([code, told.getvalue().replace('device: cpu\\n', '')]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={"PYTHONPATH": str(repository), "S2IGAN_DEVICE": "cpu", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def test_what_needs_more_packages_says_which(here: Path, repository: Path) -> None:
    write_pipeline(here / "pipeline")
    (here / ".dvc").mkdir()
    wanting = {
        "install `s2igan[voice]`": ["--text", "a bird", "--model", "default"],
        "install `s2igan[voice]`, or record": ["--microphone", "--model", "default"],
        "install `s2igan[pipeline]`, or export": ["a.wav", "--model", "pipeline"],
        "no package MLflow": ["a.wav", "--model", "models:/s2igan@champion"],
        "no package DVC": ["a.wav", "--model", "dvc:main"],
    }
    told = plainly([["speak", *arguments] for arguments in wanting.values()], here, repository)
    for said, (code, complaint) in zip(wanting, told, strict=True):
        assert code == 2
        assert said in complaint
        assert complaint.count("\n") == 1


@pytest.mark.parametrize("command", ["speak", "info", "export"])
def test_help_shows_examples_and_loads_no_network(command: str, repository: Path) -> None:
    script = (
        "import sys\nfrom s2igan.cli import main\n"
        f"try: main([{command!r}, '--help'])\n"
        "finally: print({'torch', 'numpy', 'soundfile'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=repository, capture_output=True, text=True, check=True
    )
    assert done.stdout.rstrip().endswith("set()")
    assert "MODEL is one of" in done.stdout or "examples:" in done.stdout


DEFAULT = Path(locate.__file__).parent / "default"


@pytest.mark.skipif(not DEFAULT.is_dir(), reason="the default model is not in this copy")
def test_the_model_that_ships_is_small_and_says_what_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert sum(path.stat().st_size for path in DEFAULT.iterdir()) <= 10e6
    card = json.loads((DEFAULT / "card.json").read_text(encoding="utf-8"))
    assert card["licence"] == "Apache-2.0"
    assert set(card["figures"]) == {"retrieval", "generation"}
    soundfile.write("clip.wav", babble(), RATE)
    assert main(["speak", "clip.wav", "-o", "bird.png"]) == 0
    assert "a picture of" in capsys.readouterr().out
