"""The authors' loop and trainer, of which stand-ins lie here, step as by their scripts."""

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
SEN_CONFIG = """
import yaml
from easydict import EasyDict as edict
cfg = edict({"TRAIN": {"BATCH_SIZE": 1}})

def cfg_from_file(name):
    with open(name) as file:
        assert edict(yaml.load(file)).TRAIN.MAX_EPOCH == 150
"""
TRAINER = """
import torch
import torch.backends.cudnn as cudnn
from utils.config import cfg

def weights_init(network):
    pass

def define_optimizers(generator, discriminators):
    return torch.optim.Adam(generator.parameters()), []

class condGANTrainer:
    def __init__(self, output_dir, data_loader, imsize):
        assert not cfg.TRAIN.FLAG and imsize == 256 and len(data_loader) == 0
        torch.cuda.set_device(0)
        cudnn.benchmark = True
        self.batch_size = cfg.TRAIN.BATCH_SIZE

    def train_Dnet(self, index, count):
        print("scale", index, list(self.real_imgs[index].shape), len(self.real_labels))

    def train_MDnet(self, count):
        features = self.image_encoder(self.image_cnn(self.similar_imgs))
        print("learns from pictures", features.requires_grad)

    def train_Gnet(self, count):
        print("generator", self.batch_size)
"""
NETWORKS = """
import torch

class G_NET(torch.nn.Linear):
    def __init__(self):
        super().__init__(1024, 2)

    def forward(self, noise, speech):
        return [], super().forward(speech), None

D_NET64 = D_NET128 = D_NET256 = MD_NET = lambda: torch.nn.Linear(1, 1)
"""
IMAGES = """
import torch

class Inception_v3(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 1, 1)

    def forward(self, pictures):
        return self.layer(pictures).mean((2, 3))

LINEAR_ENCODER = lambda: torch.nn.Linear(1, 4)
"""
CONFIG = """
from easydict import EasyDict as edict
cfg = edict({name: {} for name in ("TREE", "GAN", "SPEECH")})
cfg.TRAIN = edict({"COEFF": {}, "FLAG": True})
"""
FILES = {
    "steps/pre_traintest.py": LOOP,
    "models/AudioModels.py": "class CNN_RNN_ENCODER: pass",
    "models/classification.py": "class CLASSIFIER: pass",
    "cfg/Pretrain/config.py": SEN_CONFIG,
    "cfg/Pretrain/bird_train.yml": "TRAIN: {MAX_EPOCH: 150}",
    "steps/trainer.py": TRAINER,
    "models/model.py": NETWORKS,
    "models/ImageModels.py": IMAGES,
    "utils/config.py": CONFIG,
}
# Both in one process, since they import as much. The trainer has a machine without a GPU, whose
# memory then stands for the GPU's.
ASK = """
import sys, torch
from bench.reference import open_reference
from bench.reference_sen import SenReference
from bench.subjects import Setting

reference = SenReference(sys.argv[1], 4)
print("ready", reference.images, flush=True)
reference.step()
print("asked once", flush=True)
reference.step()
try:
    reference.step()
except RuntimeError as error:
    print(error)
torch.nn.Module.cuda = torch.Tensor.cuda = lambda it: it
torch.cuda.set_device = lambda _: None
full, randn = torch.full, torch.randn
torch.full = lambda *given, device: full(*given)
torch.randn = lambda *given, device: randn(*given)
setting = Setting("presets/cub.yaml", "", "rdg", batch=4, device="cuda")
reference = open_reference(sys.argv[1], setting)
print("tries algorithms out", torch.backends.cudnn.benchmark)
reference.step()
"""


def test_their_loop_steps_when_asked_and_their_image_network_is_frozen(
    tmp_path: Path, repository: Path
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", ASK, str(tmp_path)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "ready 4",
        "step 1",
        "asked once",
        "step 2",
        "the authors' loop ended: three is too much",
        "tries algorithms out True",
        "scale 0 [4, 3, 64, 64] 4",
        "scale 1 [4, 3, 128, 128] 4",
        "scale 2 [4, 3, 256, 256] 4",
        "learns from pictures False",
        "generator 4",
    ]
