"""The authors' loop, of which a stand-in lies in a folder here, takes one step when it is asked."""

import subprocess
import sys
from pathlib import Path

LOOP = """
from pathlib import Path
import yaml

def train(networks, batches, validation, settings):
    assert len(networks) == 4 and Path(settings.save_root).is_dir()
    for number, (pictures, frames, classes, _, lengths, labels) in enumerate(batches, 1):
        assert pictures.shape[:2] == (4, 1) and frames.shape[0] == 4
        assert (lengths.diff() <= 0).all() and lengths[0] == frames.shape[1]
        if number == 3:
            raise ValueError("three is too much")
        print("step", number, flush=True)
"""
CONFIG = """
import yaml
from easydict import EasyDict as edict
cfg = edict({"TRAIN": {"BATCH_SIZE": 1}})

def cfg_from_file(name):
    with open(name) as file:
        assert edict(yaml.load(file)).TRAIN.MAX_EPOCH == 150
"""
ASK = """
import sys
from bench.reference_sen import SenReference
reference = SenReference(sys.argv[1], 4)
print("ready", reference.images, flush=True)
reference.step()
print("asked once", flush=True)
reference.step()
try:
    reference.step()
except RuntimeError as error:
    print(error)
"""


def write_stand_in(folder: Path) -> None:
    files = {
        "steps/pre_traintest.py": LOOP,
        "models/AudioModels.py": "class CNN_RNN_ENCODER: pass",
        "models/ImageModels.py": "class Inception_v3: pass\nclass LINEAR_ENCODER: pass",
        "models/classification.py": "class CLASSIFIER: pass",
        "cfg/Pretrain/config.py": CONFIG,
        "cfg/Pretrain/bird_train.yml": "TRAIN: {MAX_EPOCH: 150}",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def test_their_loop_takes_a_step_when_it_is_asked(tmp_path: Path, repository: Path) -> None:
    write_stand_in(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        "ready 4",
        "step 1",
        "asked once",
        "step 2",
        "the authors' loop ended: three is too much",
    ]
