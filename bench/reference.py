"""The authors' public trainers beside ours, called from a folder that holds their code.

    python -m bench.train --work rdg sen_live --scales paper --reference DIR

`DIR` is a copy of the repository xinshengwang/S2IGAN. Nothing of it is part of this project: its
networks and its trainers are imported from there and called, with the published settings: float32,
batch 24 and 128, the same terms as presets/cub.yaml. Runs on a GPU alone, as their code does. Left
out is what would only slow them down: their loaders, since a batch lies in the memory of the host
before its step begins, and the deterministic algorithms that their scripts ask cuDNN for.
"""

from typing import Any

import torch

from bench.reference_sen import SenReference
from bench.stand_ins import import_reference
from bench.subjects import Setting, Subject

SIZES = (64, 128, 256)
NETWORKS = ("D_NET64", "D_NET128", "D_NET256")
LABELS = {"real_labels": 1.0, "fake_labels": 0.0, "same_labels": 0.0, "wrong_labels": 2.0}


def open_reference(folder: str, setting: Setting) -> Subject:
    """Set up the authors' trainer.

    Raises:
        RuntimeError: saying in one line what is missing.
    """
    if setting.device == "cpu":
        raise RuntimeError("the authors' trainer needs a CUDA device")
    if setting.kind != "rdg":  # their loop has the image network in it in any case
        return SenReference(folder, setting.batch or 128)
    names = ["steps.trainer", "models.model", "models.ImageModels", "utils.config"]
    modules = import_reference(folder, "steps/trainer.py", names)
    return _Reference(*modules, batch=setting.batch or 24)


class _Reference:
    def __init__(self, trainer: Any, model: Any, images: Any, config: Any, *, batch: int) -> None:
        cfg = config.cfg
        _configure(cfg, batch)
        # Their constructor tells cuDNN to try its algorithms out.
        run = trainer.condGANTrainer("", (), SIZES[-1])
        run.num_Ds = len(SIZES)
        run.netG = model.G_NET().cuda()
        run.netsD = [getattr(model, name)().cuda() for name in NETWORKS]
        run.netMD = model.MD_NET().cuda()
        for network in (run.netG, *run.netsD, run.netMD):
            network.apply(trainer.weights_init)
        run.image_cnn = images.Inception_v3().cuda().eval().requires_grad_(False)
        run.image_encoder = images.LINEAR_ENCODER().cuda().eval().requires_grad_(False)
        run.optimizerG, run.optimizersD = trainer.define_optimizers(run.netG, run.netsD)
        rate = cfg.TRAIN.DISCRIMINATOR_LR
        run.optimizerMD = torch.optim.Adam(run.netMD.parameters(), lr=rate, betas=(0.5, 0.999))
        run.criterion = torch.nn.BCELoss()
        for name, value in LABELS.items():
            setattr(run, name, torch.full((batch,), value, device="cuda"))
        self._average = [parameter.detach().clone() for parameter in run.netG.parameters()]
        self.images, self._run, self._noise_size = batch, run, cfg.GAN.Z_DIM
        self._speech_size = cfg.SPEECH.DIMENSION
        self._sets = [
            [torch.rand(batch, 3, size, size) * 2 - 1 for size in SIZES] for _ in range(2)
        ]

    def step(self) -> None:
        run, batch = self._run, self.images
        run.real_imgs, run.wrong_imgs = (
            [image.cuda() for image in scales] for scales in self._sets
        )
        run.similar_imgs = run.real_imgs[-1].flip(0)
        run.class_ids = torch.arange(batch)
        run.txt_embedding = torch.randn(batch, self._speech_size, device="cuda")
        noise = torch.randn(batch, self._noise_size, device="cuda")
        run.fake_imgs, run.mu, run.logvar = run.netG(noise, run.txt_embedding)
        for index in range(run.num_Ds):
            run.train_Dnet(index, 1)
        run.train_MDnet(1)
        run.train_Gnet(1)
        for kept, value in zip(self._average, run.netG.parameters(), strict=True):
            kept.mul_(0.999).add_(value.data, alpha=0.001)


def _configure(cfg: Any, batch: int) -> None:
    cfg.CUDA, cfg.DATASET_NAME, cfg.TREE.BRANCH_NUM = True, "birds", len(SIZES)
    cfg.TRAIN.BATCH_SIZE = batch
    cfg.TRAIN.FLAG = False  # no folders for what it would save and log
    cfg.TRAIN.DISCRIMINATOR_LR = cfg.TRAIN.GENERATOR_LR = 2e-4
    weights = {"UNCOND_LOSS": 1.0, "MD_LOSS": 1.0, "KL": 2.0, "COLOR_LOSS": 0.0}
    weights |= {"CONTENTCONSIST_LOSS": 0.0, "SEMANTICONSIST_LOSS": 0.0}
    for name, weight in weights.items():
        setattr(cfg.TRAIN.COEFF, name, weight)
    cfg.GAN.DF_DIM = cfg.GAN.GF_DIM = 64
    cfg.GAN.Z_DIM, cfg.GAN.EMBEDDING_DIM, cfg.GAN.R_NUM = 100, 128, 2
    cfg.GAN.B_CONDITION = cfg.GAN.MDisc = True
    cfg.SPEECH.DIMENSION = 1024
