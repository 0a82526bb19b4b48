"""What several processes compute together and one computes alone, for a comparison in float64.

As a command, in one of several processes: computes every job and writes what came of it.
"""

import math
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from s2igan.corpora.index import Corpus
from s2igan.engine.arrays import Ragged, open_array
from s2igan.engine.checkpoint import CheckpointStore
from s2igan.engine.curves import Curves
from s2igan.engine.distributed import (
    apart,
    averages,
    gathered,
    on_any,
    own_rows,
    rank,
    require_alike,
    shared,
    shared_to_first,
    spread_from_first,
    world,
)
from s2igan.engine.divergence import DivergedError
from s2igan.engine.interrupts import Interrupts
from s2igan.engine.keeper import Keeper, last_state
from s2igan.engine.launch import current_rank
from s2igan.engine.meeting import together
from s2igan.engine.session import plain_session
from s2igan.engine.sync_norm import SyncBatchNorm1d, SyncBatchNorm2d
from s2igan.errors import UserError
from s2igan.rdg.augment import Drawn
from s2igan.rdg.batches import Batch, TrainingPictures
from s2igan.rdg.config import RdgConfig
from s2igan.rdg.speech_source import EmbeddedSpeech, Sequences, SpokenSpeech
from s2igan.rdg.step import RdgStep
from s2igan.rdg.train import open_stream
from s2igan.sen.batches import Batch as Pairs
from s2igan.sen.build import build_seeded_encoder
from s2igan.sen.data import SenData
from s2igan.sen.losses import matching_loss
from s2igan.sen.train import SenTraining
from tests.correctness.test_rdg_step import FrozenEncoder
from tests.kernels import kernel_device
from tests.rdg.makers import EMBEDDING_DIM, rdg_config, speech_description
from tests.sen.synthetic import sen_config

STEPS = 5
CPU = torch.device("cpu")
Tensors = dict[str, Tensor]

# A bias between two batch norms has no gradient but rounding errors, which Adam with weight decay
# lets grow five hundredfold a step; a nonlinearity gives it one, or no decay lets it stay.
SEN_KINDS: dict[str, dict[str, Any]] = {
    "paper": {"activation": "relu", "weight_decay": 1e-3},
    "sums": {
        "weight_decay": 0.0,
        "reduction": "sum",
        "time_masks": 1,
        "time_mask_frames": 9,
        "band_masks": 1,
        "band_mask_bands": 3,
        "frame_noise": 0.3,
        "feature_noise": 0.1,
        "feature_dropout": 0.2,
    },
    "taught": {"objective": "teacher_student", "encoder": "conv_blstm", "channels": [8, 8]},
}
EVERYTHING: dict[str, Any] = {
    "use_rs": True,
    "matching_weight": 1.0,
    "class_aware_weight": 0.5,
    "embedding_mix": 0.5,
    "augment": ["translation", "cutout", "brightness", "saturation", "contrast"],
}
RDG_KINDS: dict[str, dict[str, Any]] = {
    "wrong speech": {**EVERYTHING, "condition_on": "sample"},
    "wrong pictures": {**EVERYTHING, "wrong_pairs": "pictures", "rs_every": 2},
    "end to end": {**EVERYTHING, "speech_encoder": "end_to_end", "matching_weight": 0.0},
}


@contextmanager
def float64() -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def kept(prefix: str, tensors: dict[str, Tensor]) -> Tensors:
    return {f"{prefix}.{name}": value.detach().clone() for name, value in tensors.items()}


def gradients(prefix: str, module: nn.Module) -> Tensors:
    found = {n: p.grad for n, p in module.named_parameters() if p.grad is not None}
    return kept(f"gradient.{prefix}", found)


class Gated(nn.BatchNorm2d):
    """Torch's batch norm and a gate behind it."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(N, 2C, H, W)``; ``(N, C, H, W)``."""
        return nn.functional.glu(super().forward(x), dim=1)


class FusedGated(Gated):
    """The same by this project's kernels, whose arithmetic is float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise ``(N, 2C, H, W)``; ``(N, C, H, W)``."""
        from s2igan.rdg.norm_kernels import GLU, normed

        layer, x = self.float(), x.float()
        return normed(layer, x, GLU) if self.training else super().forward(x)


def norm(layer: nn.BatchNorm1d | nn.BatchNorm2d, whole: Tensor, mine: slice) -> Tensors:
    """Two passes in training, one backwards, one in evaluation; a loss that tells rows apart."""
    torch.manual_seed(3)
    for parameter in layer.parameters():
        nn.init.uniform_(parameter, 0.5, 1.5)
    weights = torch.rand(whole.shape).to(whole)[mine]
    x = whole[mine].clone().requires_grad_(True)
    layer(x * 2)
    out = layer(x)
    torch.autograd.backward((out * weights[:, : out.shape[1]]).square().sum())
    assert x.grad is not None
    assert layer.weight.grad is not None
    assert layer.bias.grad is not None
    layer.eval()
    return {
        "rows.out": out.detach(),
        "rows.gradient": x.grad,
        "rows.evaluated": layer(x).detach(),
        "sum.weight": layer.weight.grad,
        "sum.bias": layer.bias.grad,
        **kept("state", layer.state_dict()),
    }


def norms(plain: bool) -> dict[str, Tensors]:
    """Of maps, by kernels too, and of sequences of which one process has more than the other."""
    torch.manual_seed(1)
    maps, rows = torch.rand(6, 4, 4, 3) + 9, torch.rand(7, 5) * 3
    uneven = slice(None) if world() == 1 else (slice(0, 5), slice(5, 7))[rank()]
    two = nn.BatchNorm2d(4) if plain else SyncBatchNorm2d(4)
    one = nn.BatchNorm1d(5, momentum=None) if plain else SyncBatchNorm1d(5, momentum=None)
    mine = own_rows(6, "maps")
    found = {"maps": norm(two, maps, mine), "rows": norm(one, rows, uneven)}
    if find_spec("triton") is not None:
        gated = (Gated if plain else FusedGated)(4).to(kernel_device())
        found["kernels"] = norm(gated, maps.to(kernel_device()), mine)
    return found


def matched() -> Tensors:
    torch.manual_seed(2)
    speech, image = (nn.functional.normalize(torch.randn(8, 5), dim=1) for _ in range(2))
    labels, mine = torch.tensor([0, 1, 2, 0, 1, 3, 2, 2]), own_rows(8, "pairs")
    a, v = (x[mine].clone().requires_grad_(True) for x in (speech, image))
    loss = matching_loss(gathered(a), gathered(v), gathered(labels[mine]), 10.0)
    torch.autograd.backward(loss)
    assert a.grad is not None
    assert v.grad is not None
    # Each process computes the whole loss: the gradient of their mean is a share of the sum.
    return {"loss": loss.detach(), "rows.a": a.grad / world(), "rows.v": v.grad / world()}


def helpers() -> dict[str, Any]:
    seven = [str(n) for n in range(7)]
    mine = iter(seven[rank() :: world()])
    linear = nn.Linear(2, 2)
    nn.init.constant_(linear.weight, float(rank() + 1))
    spread_from_first(linear)
    with apart():
        lonely = world()
    return {
        "shared": list(shared(iter(seven[rank() :: world()]), 7)),
        "to first": list(shared_to_first(mine, 7)),
        "averages": {k: float(v) for k, v in averages({"x": torch.tensor(rank() + 1.0)}).items()},
        "spread": linear.weight.detach().clone(),
        "apart": lonely,
        "told": on_any(rank() == 1, False),
        "steps": [found_steps(3, 3), found_steps(0, 30)],
        "alike": [alike("ab", "ab"), alike("ab", "cd")],
        "ended": ended_after_the_last_checkpoint(),
        "late": saved_where_one_is_late(),
    }


def found_steps(*steps: int) -> str:
    """What is said where each process finds a checkpoint of its own step."""
    step = steps[rank()]
    with TemporaryDirectory() as folder:
        store = CheckpointStore(Path(folder))
        if step:
            store.save({"step": step})
        try:
            return str(last_state(replace(plain_session(), checkpoints=store)))
        except UserError as error:
            return str(error)


def alike(*keys: str) -> str:
    """What is said where each process computes from what its own key is the hash of."""
    try:
        require_alike(keys[rank()])
    except UserError as error:
        return str(error)
    return ""


class SlowStore(CheckpointStore):
    """Takes a while to write, on the first process alone."""

    saved_at = 0.0

    def save(self, _state: Any) -> None:
        time.sleep(0.0 if rank() else 0.2)
        self.saved_at = time.monotonic()  # of one machine's clock


def ended_after_the_last_checkpoint() -> list[bool]:
    """Whether each process, told to end, ends after the first one has written."""
    store, interrupts = SlowStore(None), Interrupts()
    session = replace(plain_session(), checkpoints=store, interrupts=interrupts)
    curves = Curves("the work", "mend it")
    keeper = Keeper(session, curves, state=lambda: {"step": 1}, every=9, steps=9)
    interrupts._received = signal.SIGTERM
    with redirect_stderr(StringIO()), suppress(SystemExit):
        keeper.after(1)
    ended, written = (
        list(shared(iter([at]), world())) for at in (time.monotonic(), store.saved_at)
    )
    return [at >= written[0] for at in ended]


def saved_where_one_is_late() -> list[bool]:
    """Whether each process saves where the time for it has come by the last one's clock alone."""
    store = SlowStore(None)
    seconds = 0.0 if rank() == world() - 1 else math.inf
    session = replace(plain_session(), checkpoints=store, checkpoint_seconds=seconds)
    keeper = Keeper(session, Curves("the work", "mend it"), state=dict, every=9, steps=9)
    keeper.after(1)
    return list(shared(iter([store.saved_at > 0]), world()))


def begun(folder: Path) -> Tensors:
    """What a training begins with where every process has drawn other weights."""
    config = rdg_config(batch_size=4, **{**RDG_KINDS["end to end"], "seed": 1 + rank()})
    learning = build_seeded_encoder(speech_description())
    with torch.no_grad():
        for parameter in learning.parameters():
            parameter.add_(rank())
    step = DoubleStep(
        config,
        embedding_dim=EMBEDDING_DIM,
        embed_image=FrozenEncoder(),
        encoder=learning,
        device=CPU,
    )
    assert step.supervision
    assert step.learning
    data = SenData(folder / "sen" / "corpus", folder / "sen" / "features")
    training = SenTraining(sen_config(batch=12, seed=1 + rank()), data, plain_session())
    networks = [step.generator, *step.discriminators, step.supervision.relation]
    networks += [step.learning.encoder, training.model]
    found: Tensors = {}
    for number, network in enumerate(networks):
        found |= kept(str(number), network.state_dict())
    return found


def sen(folder: Path, changes: dict[str, Any]) -> Tensors:
    data = SenData(folder / "sen" / "corpus", folder / "sen" / "features")
    training = SenTraining(sen_config(batch=12, **changes), data, plain_session())
    training.model.train()
    found: Tensors = {}
    for step in range(STEPS):
        pairs = training.stream[step]
        training._update(
            Pairs(pairs.frames.double(), pairs.lengths, pairs.features.double(), pairs.labels)
        )
        training.step += 1
        if step == 0:
            found |= gradients("sen", training.model)
    terms = kept("terms", training.curves._sums)
    return found | kept("weights", training.model.state_dict()) | terms


def noticed(folder: Path) -> str:
    """What each process says of a loss that is not finite in the last one alone."""
    data = SenData(folder / "sen" / "corpus", folder / "sen" / "features")
    training = SenTraining(sen_config(batch=12), data, plain_session())
    alone = rank() == world() - 1
    training.curves.add({"matching": torch.tensor(float("nan") if alone else 1.0)})
    try:
        training.curves.check(0)
    except DivergedError as error:
        return str(error)
    return ""


class DoubleStep(RdgStep):
    """A step whose pictures are of float64, as everything else is here."""

    def _prepared(self, pictures: Tensor, drawn: list[Drawn]) -> list[Tensor]:
        return [scale.double() for scale in super()._prepared(pictures, drawn)]


def doubled(value: Any) -> Any:
    if isinstance(value, Sequences):
        return replace(value, values=doubled(value.values), shares=doubled(value.shares))
    floats = isinstance(value, np.ndarray) and value.dtype == np.float32
    return value.astype(np.float64) if floats else value


def rdg(folder: Path, changes: dict[str, Any]) -> Tensors:
    config = rdg_config(batch_size=4, **changes)
    torch.manual_seed(4)
    frozen, learning = FrozenEncoder(), None
    if config.speech_encoder == "end_to_end":
        learning = build_seeded_encoder(speech_description())
    step = DoubleStep(
        config, embedding_dim=EMBEDDING_DIM, embed_image=frozen, encoder=learning, device=CPU
    )
    stream = rdg_stream(folder / "rdg", config)
    found: Tensors = {}
    for number in range(STEPS):
        batch: Batch = stream[number]
        batch = replace(batch, **{name: doubled(v) for name, v in vars(batch).items()})
        terms = step(number, batch)
        found |= kept(f"terms.{number}", terms)
        if number == 0:
            found |= rdg_gradients(step)
    networks: dict[str, nn.Module] = {
        "generator": step.generator,
        "average": step.averaged_generator,
    }
    networks |= {str(n): judge for n, judge in enumerate(step.discriminators)}
    if step.learning is not None:
        networks |= {"encoder": step.learning.encoder, "encoder average": step.learning.averaged}
    for name, network in networks.items():
        found |= kept(f"weights.{name}", network.state_dict())
    return found


def rdg_gradients(step: RdgStep) -> Tensors:
    found = gradients("generator", step.generator)
    for number, judge in enumerate(step.discriminators):
        found |= gradients(f"discriminator {number}", judge)
    if step.supervision is not None:
        found |= gradients("relation", step.supervision.relation)
    if step.learning is not None:
        found |= gradients("encoder", step.learning.encoder)
    return found


def rdg_stream(folder: Path, config: RdgConfig) -> Any:
    corpus, features, embeddings = (folder / n for n in ("corpus", "features", "embeddings"))
    opened = Corpus(corpus)
    speech: EmbeddedSpeech | SpokenSpeech = EmbeddedSpeech(open_array(embeddings / "speech.npy"))
    if config.speech_encoder == "end_to_end":
        speech = SpokenSpeech(Ragged(features, "mel"), EMBEDDING_DIM)
    pictures = TrainingPictures(opened.images, opened.descriptions)
    return open_stream(config, pictures, speech, features, embeddings)


def jobs(folder: Path) -> dict[str, Callable[[], Any]]:
    """All jobs by name; inputs lie in ``folder``."""
    return {
        "norms": partial(norms, plain=False),
        "matched": matched,
        "helpers": helpers,
        "noticed": partial(noticed, folder),
        "begun": partial(begun, folder),
        **{f"sen {name}": partial(sen, folder, kind) for name, kind in SEN_KINDS.items()},
        **{f"rdg {name}": partial(rdg, folder, kind) for name, kind in RDG_KINDS.items()},
    }


def main(inputs: Path, out: Path) -> None:
    """Compute every job as one of several processes."""
    torch.set_num_threads(1)
    with together(current_rank(), CPU), float64():
        found = {name: job() for name, job in jobs(inputs).items()}
    torch.save(found, out / f"{current_rank().rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
