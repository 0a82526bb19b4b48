"""One update of all networks of the RDG (paper §2.3.3).

The order is the authors' code's: one pass of the generator; the discriminators; the relation
supervisor; the generator, by the same generated pictures. The real, the generated and the
mismatched pictures pass a discriminator separately, each batch with its own statistics of the batch
norms.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine.device import autocast
from s2igan.engine.ema import Ema
from s2igan.engine.seeding import torch_generator
from s2igan.rdg import losses
from s2igan.rdg.augment import augment
from s2igan.rdg.batches import Batch
from s2igan.rdg.config import RdgConfig
from s2igan.rdg.discriminator import Discriminator, Verdict
from s2igan.rdg.generator import Generated, Generator
from s2igan.rdg.relation import RelationSupervisor

_WEIGHTS, _AUGMENTATION = 2, 3  # keys of the random streams, beside those of the batches

ImageEmbedding = Callable[[Tensor], Tensor]


class RdgStep:
    """Networks, optimisers and the averaged generator.

    Args:
        config: the section ``rdg``.
        embedding_dim: dimension of speech and image embeddings.
        embed_image: ``(N, 3, S, S)`` pictures in [0, 1] → ``(N, E)`` image embeddings,
            differentiable and frozen; needed where the relation supervisor takes part.
        device: where to compute.
    """

    def __init__(
        self,
        config: RdgConfig,
        *,
        embedding_dim: int,
        embed_image: ImageEmbedding | None,
        device: torch.device,
    ) -> None:
        self.config, self.device, self.embed_image = config, device, embed_image
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(torch_generator(config.seed, _WEIGHTS).initial_seed())
            self.generator = self._to_device(build_generator(config, embedding_dim))
            self.discriminators = self._to_device(build_discriminators(config))
            self.relation = RelationSupervisor(embedding_dim).to(device) if config.use_rs else None
        self.ema = Ema(self.generator, config.ema_decay)
        self._adam_g = self._adam(self.generator, config.lr_g)
        self._adam_d = self._adam(self.discriminators, config.lr_d)
        self._adam_r = None if self.relation is None else self._adam(self.relation, config.lr_d)

    def __call__(self, step: int, batch: Batch) -> dict[str, Tensor]:
        """Update every network once; return every loss term as a detached scalar."""
        config = self.config
        draws = torch_generator(config.seed, _AUGMENTATION, step)
        speech = self._tensor(batch.speech)
        with autocast(self.device, config.precision):
            generated = self.generator(
                speech, self._tensor(batch.noise), self._tensor(batch.condition_noise)
            )
        shown = [augment(image, config.augment, draws) for image in generated.images]
        condition = generated.condition
        seen = (condition.mu if config.condition_on == "mu" else condition.sample).detach()
        terms = self._update_discriminators(batch, shown, seen, draws)
        relation_loss = None
        if self.relation is not None and step % config.rs_every == 0:
            relation_loss = self._update_relation(batch, generated, terms)
        self._update_generator(generated, shown, seen, relation_loss, terms)
        self.ema.update(self.generator)
        return terms

    def _update_discriminators(
        self, batch: Batch, shown: list[Tensor], seen: Tensor, draws: torch.Generator
    ) -> dict[str, Tensor]:
        config = self.config
        reals = self._prepared(batch.real, draws)
        wrongs = None if batch.wrong is None else self._prepared(batch.wrong, draws)
        wrong_seen = self._wrong_condition(batch) if config.wrong_pairs == "speech" else None
        terms: dict[str, Tensor] = {}
        total = torch.zeros((), device=self.device)
        for index, (judge, size) in enumerate(self._judges()):
            with autocast(self.device, config.precision):
                features = judge.features(reals[index])
                real = judge.verdict(features, seen)
                fake = judge(shown[index].detach(), seen)
                wrong: tuple[Tensor, Tensor | None] | None = None
                if wrongs is not None:
                    wrong = judge(wrongs[index], seen)
                elif wrong_seen is not None:
                    wrong = (judge.conditional_logits(features, wrong_seen), None)
            loss = losses.discriminator_loss(real, fake, wrong, config.uncond_weight)
            total = total + loss
            terms |= _discriminator_terms(size, loss, real, fake, wrong)
        self._adam_d.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        self._adam_d.step()
        return terms

    def _update_relation(
        self, batch: Batch, generated: Generated, terms: dict[str, Tensor]
    ) -> Tensor:
        # Eq. (8) for RS itself; what is returned is the generator's share of it, eq. (9).
        assert self.relation is not None
        assert self.embed_image is not None
        assert self._adam_r is not None
        truth, same, wrong = (
            self._tensor(values) for values in (batch.truth_seen, batch.same_seen, batch.wrong_seen)
        )
        with autocast(self.device, self.config.precision):
            fake = self.embed_image((generated.images[-1] + 1) / 2).float()
        self.relation.requires_grad_(True)
        loss = losses.relation_loss(*self.relation(truth, same, wrong, fake.detach()))
        self._adam_r.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self._adam_r.step()
        self.relation.requires_grad_(False)
        for_generator = losses.relation_generator_loss(
            self.relation(truth, same, wrong, fake).generated
        )
        terms |= {"RS": loss.detach(), "G_RS": for_generator.detach()}
        return for_generator

    def _update_generator(
        self,
        generated: Generated,
        shown: list[Tensor],
        seen: Tensor,
        relation_loss: Tensor | None,
        terms: dict[str, Tensor],
    ) -> None:
        config = self.config
        self.discriminators.requires_grad_(False)
        kl = losses.kl_loss(generated.condition.mu, generated.condition.logvar)
        total = config.kl_weight * kl
        for image, (judge, size) in zip(shown, self._judges(), strict=True):
            with autocast(self.device, config.precision):
                fake = judge(image, seen)
            loss = losses.generator_loss(fake, config.uncond_weight)
            total = total + loss
            terms[f"G_{size}"] = loss.detach()
        if relation_loss is not None:
            total = total + config.rs_weight * relation_loss
        self._adam_g.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        self._adam_g.step()
        self.discriminators.requires_grad_(True)
        terms["KL"] = kl.detach()

    def _judges(self) -> list[tuple[Discriminator, int]]:
        judges = [module for module in self.discriminators if isinstance(module, Discriminator)]
        return list(zip(judges, self.generator.sizes, strict=True))

    def _prepared(self, pictures: Any, draws: torch.Generator) -> list[Tensor]:
        scales = to_scales(self._tensor(pictures), self.generator.sizes)
        return [augment(scale, self.config.augment, draws) for scale in scales]

    @torch.no_grad()
    def _wrong_condition(self, batch: Batch) -> Tensor:
        condition = self.generator.conditioning(
            self._tensor(batch.wrong_speech), self._tensor(batch.condition_noise)
        )
        return condition.mu if self.config.condition_on == "mu" else condition.sample

    def _tensor(self, array: Any) -> Tensor:
        tensor: Tensor = torch.as_tensor(array).to(self.device, non_blocking=True)
        return tensor

    def _to_device(self, module: Any) -> Any:
        return module.to(self.device, memory_format=torch.channels_last)

    def _adam(self, module: nn.Module, rate: float) -> torch.optim.Adam:
        betas = (self.config.betas[0], self.config.betas[1])
        return torch.optim.Adam(module.parameters(), lr=rate, betas=betas, fused=True)

    def state_dict(self) -> dict[str, Any]:
        """Everything that :meth:`load_state_dict` needs to go on as if nothing had happened."""
        state = {
            "generator": self.generator.state_dict(),
            "discriminators": self.discriminators.state_dict(),
            "ema": self.ema.state_dict(),
            "adam_g": self._adam_g.state_dict(),
            "adam_d": self._adam_d.state_dict(),
        }
        if self.relation is not None and self._adam_r is not None:
            state["relation"] = self.relation.state_dict()
            state["adam_r"] = self._adam_r.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.generator.load_state_dict(state["generator"])
        self.discriminators.load_state_dict(state["discriminators"])
        self.ema.load_state_dict(state["ema"])
        self._adam_g.load_state_dict(state["adam_g"])
        self._adam_d.load_state_dict(state["adam_d"])
        if self.relation is not None and self._adam_r is not None:
            self.relation.load_state_dict(state["relation"])
            self._adam_r.load_state_dict(state["adam_r"])


def build_generator(config: RdgConfig, embedding_dim: int) -> Generator:
    """Make the generator that ``config`` describes."""
    return Generator(
        embedding_dim=embedding_dim,
        base_size=config.base_size,
        gf=config.gf,
        noise_dim=config.noise_dim,
        condition_dim=config.condition_dim,
        residual_blocks=config.residual_blocks,
        dense=config.dense,
    )


def build_discriminators(config: RdgConfig) -> nn.ModuleList:
    """Make the three discriminators that ``config`` describes, small scale first."""
    return nn.ModuleList(
        Discriminator(
            size=scale * config.base_size,
            base_size=config.base_size,
            df=config.df,
            condition_dim=config.condition_dim,
        )
        for scale in (1, 2, 4)
    )


def to_scales(pictures: Tensor, sizes: tuple[int, int, int]) -> list[Tensor]:
    """``(N, crop, crop, 3)`` uint8 → three ``(N, 3, S, S)`` float32 in [-1, 1], small to large.

    Each scale is the area average of the crop.
    """
    images = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1  # (N, 3, crop, crop)
    if images.shape[-1] != sizes[2]:
        images = F.interpolate(images, (sizes[2], sizes[2]), mode="area")
    middle = F.avg_pool2d(images, 2)
    return [F.avg_pool2d(middle, 2), middle, images]


def _discriminator_terms(
    size: int,
    loss: Tensor,
    real: Verdict,
    fake: Verdict,
    wrong: tuple[Tensor, Tensor | None] | None,
) -> dict[str, Tensor]:
    terms = {
        f"D_{size}": loss,
        f"D_{size}_real_accuracy": (real.conditional > 0).float().mean(),
        f"D_{size}_fake_accuracy": (fake.conditional < 0).float().mean(),
    }
    if wrong is not None:
        terms[f"D_{size}_wrong_accuracy"] = (wrong[0] < 0).float().mean()
    return {name: value.detach() for name, value in terms.items()}
