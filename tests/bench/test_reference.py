"""The authors' trainer of the GAN, of which a stand-in lies here, is set up as by their script."""

import subprocess
import sys
from pathlib import Path

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
# On a machine without a GPU, whose memory then stands for the GPU's.
ASK = """
import sys, torch
from bench.reference import open_reference
from bench.subjects import Setting

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


def test_their_constructor_is_called_and_the_image_network_frozen(
    tmp_path: Path, repository: Path
) -> None:
    files = {
        "steps/trainer.py": TRAINER,
        "models/model.py": NETWORKS,
        "models/ImageModels.py": IMAGES,
        "utils/config.py": CONFIG,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
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
        "tries algorithms out True",
        "scale 0 [4, 3, 64, 64] 4",
        "scale 1 [4, 3, 128, 128] 4",
        "scale 2 [4, 3, 256, 256] 4",
        "learns from pictures False",
        "generator 4",
    ]
