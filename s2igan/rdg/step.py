"""One update of all networks of the RDG (paper §2.3.3).

The order is the authors' code's: one pass of the generator; the discriminators; the relation
supervisor; the generator, by the same generated pictures. The real, the generated and the
mismatched pictures pass a discriminator separately, each batch with its own statistics of the batch
norms.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.engine.adam import Adam
from s2igan.engine.device import autocast, full_precision
from s2igan.engine.distributed import (
    average_gradients,
    averages,
    gathered,
    spread_from_first,
)
from s2igan.engine.ema import Ema
from s2igan.engine.graphs import CapturedSteps, capturable
from s2igan.engine.seeding import torch_generator
from s2igan.rdg import losses
from s2igan.rdg.augment import Drawn, transform
from s2igan.rdg.batches import Batch
from s2igan.rdg.class_aware import class_aware_loss
from s2igan.rdg.conditioning import Condition
from s2igan.rdg.config import RdgConfig
from s2igan.rdg.discriminator import Verdict
from s2igan.rdg.generator import Generated, Generator
from s2igan.rdg.learning_encoder import LearningEncoder
from s2igan.rdg.networks import build_discriminators, build_generator, to_channels_last, to_scales
from s2igan.rdg.placed import Placed, place
from s2igan.rdg.speech_source import Floats, Sequences
from s2igan.rdg.supervision import ImageEmbedding, Supervision
from s2igan.sen.encoder import DescriptionEncoder
from s2igan.sen.losses import matching_loss

BETA = 10.0  # scale of the cosine similarity in eq. (1), the paper's, whatever `sen.beta` is

_WEIGHTS, _AUGMENTATION = 2, 3  # keys of the random streams, beside those of the batches


class RdgStep:
    """Networks, optimisers and the averaged generator.

    Args:
        config: the section ``rdg``.
        embedding_dim: dimension of speech and image embeddings.
        embed_image: ``(N, 3, S, S)`` pictures in [0, 1] → ``(N, E)`` image embeddings,
            differentiable and frozen; only read by the relation supervisor and the matching loss.
            None leaves both out, whatever ``config`` says.
        encoder: where a speech encoder begins that learns with the generator; None where batches
            hold embeddings.
        speech_statistics: mean ``(E,)`` and deviation of the training captions' embeddings, as
            :meth:`EmbeddedSpeech.statistics` returns them; read where ``rdg.standardise_speech`` is
            true.
        device: where to compute.

    Raises:
        ValueError: if ``config`` standardises speech and there are no statistics of it.
    """

    def __init__(
        self,
        config: RdgConfig,
        *,
        embedding_dim: int,
        embed_image: ImageEmbedding | None,
        encoder: DescriptionEncoder | None = None,
        speech_statistics: tuple[Floats, float] | None = None,
        device: torch.device,
    ) -> None:
        self.config, self.device, self.embed_image = config, device, embed_image
        with torch.random.fork_rng(devices=[]):
            seed = torch_generator(config.seed, _WEIGHTS).initial_seed()
            torch.default_generator.manual_seed(seed)
            self.generator = build_generator(config, embedding_dim)
            self.discriminators = build_discriminators(config)
            self.supervision = self._supervision(embedding_dim) if config.use_rs else None
        if config.standardise_speech:
            self._standardise(speech_statistics)
        for module in (self.generator, *self.discriminators):
            to_channels_last(module.to(device))
            spread_from_first(module)
        self._judges = list(zip(self.discriminators, self.generator.sizes, strict=True))
        self.ema = Ema(self.generator, config.ema_decay)
        self._adam_g = self._adam(self.generator, config.lr_g)
        self._adam_d = self._adam(nn.ModuleList(self.discriminators), config.lr_d)
        self.learning = None if encoder is None else self._learning(encoder)
        # Speech that an encoder reads has a new length in every step, and a graph has one shape.
        self._captures = self.learning is None and capturable(device)
        if self._captures:
            # Shapes never change, so trying every algorithm of a convolution once pays.
            torch.backends.cudnn.benchmark = True
        self._graphs = CapturedSteps(device)

    def __call__(self, step: int, batch: Batch) -> dict[str, Tensor]:
        """Update every network once.

        Args:
            step: number of the step, which random transforms are drawn by; supervisor and matching
                loss take part in every ``rs_every``-th.
            batch: this process's rows of the global batch; mismatched pairs are read where
                ``config`` wants them.

        Returns:
            Detached scalars that hold until the next call, none times its weight: per side S
            ``D_S``, ``G_S`` and the accuracies ``D_S_real_accuracy``, …; ``KL``; where they take
            part, ``RS``, ``G_RS``, ``G_match`` and ``G_S_class``.

        Raises:
            ValueError: if the batch lacks the mismatched pairs of ``config``, or its pictures,
                noise or captions are not as :class:`Batch` says.
        """
        config = self.config
        draws = torch_generator(config.seed, _AUGMENTATION, step)
        placed = place(batch, config, self.generator.sizes, draws, self.device)
        guided = step % config.rs_every == 0
        if not self._captures:
            return self._update(placed, guided)
        return dict(
            self._graphs(
                guided,
                lambda tensors: self._update(placed.with_tensors(list(tensors)), guided),
                placed.tensors(),
            )
        )

    def _update(self, batch: Placed, guided: bool) -> dict[str, Tensor]:
        config = self.config
        speech = self._embedded(batch.speech)
        with autocast(self.device, config.precision):
            generated = self.generator(speech, batch.noise, batch.condition_noise)
        shown = self._transformed(generated.images, batch.drawn[0])
        condition = generated.condition
        seen = condition.mu if config.condition_on == "mu" else condition.sample
        terms = self._update_discriminators(batch, shown, seen.detach())
        guidance = self._guidance(guided, batch, generated.images[-1], terms)
        self._update_generator(batch, generated, shown, seen, guidance, terms)
        self.ema.update(self.generator)
        return averages(terms)

    def _update_discriminators(
        self, batch: Placed, shown: list[Tensor], seen: Tensor
    ) -> dict[str, Tensor]:
        config = self.config
        self._judging(True)
        reals = self._prepared(batch.real, batch.drawn[1])
        wrongs = None if batch.wrong is None else self._prepared(batch.wrong, batch.drawn[2])
        wrong_seen = self._wrong_condition(batch)
        terms: dict[str, Tensor] = {}
        total = torch.zeros((), device=self.device)
        for index, (judge, size) in enumerate(self._judges):
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
        average_gradients(nn.ModuleList(self.discriminators).parameters())
        self._adam_d.step()
        return terms

    def _update_generator(
        self,
        batch: Placed,
        generated: Generated,
        shown: list[Tensor],
        seen: Tensor,
        guidance: Tensor,
        terms: dict[str, Tensor],
    ) -> None:
        config = self.config
        self._judging(False)
        kl = losses.kl_loss(generated.condition.mu, generated.condition.logvar)
        total = config.kl_weight * kl + guidance
        for image, (judge, size) in zip(shown, self._judges, strict=True):
            with autocast(self.device, config.precision):
                features = judge.features(image)
                fake = judge.verdict(features, seen)
            loss = losses.generator_loss(fake, config.uncond_weight)
            total = total + loss
            terms[f"G_{size}"] = loss.detach()
            if config.class_aware_weight:
                alike = class_aware_loss(gathered(features), gathered(batch.labels))
                total = total + config.class_aware_weight * alike
                terms[f"G_{size}_class"] = alike.detach()
        self._adam_g.zero_grad(set_to_none=True)
        if self.learning is not None:
            self.learning.forget_gradient()
        torch.autograd.backward(total)
        average_gradients(self.generator.parameters())
        self._adam_g.step()
        if self.learning is not None:
            self.learning.update()
        terms["KL"] = kl.detach()

    def _guidance(
        self, guided: bool, batch: Placed, images: Tensor, terms: dict[str, Tensor]
    ) -> Tensor:
        # What the SEN's image encoder tells the generator: relations, and the match with speech.
        config, total = self.config, torch.zeros((), device=self.device)
        if self.embed_image is None or not guided:
            return total
        with autocast(self.device, config.precision):
            fake = full_precision(self.embed_image((images + 1) / 2))  # (N, E)
        if self.supervision is not None:
            own_loss, relation_loss = self.supervision.update(
                fake, batch.truth_seen, batch.same_seen, batch.wrong_seen
            )
            terms |= {"RS": own_loss, "G_RS": relation_loss.detach()}
            total = total + config.rs_weight * relation_loss
        if config.matching_weight:
            speech = F.normalize(self._embedded(batch.speech), dim=1)
            rows = gathered(speech), gathered(fake), gathered(batch.labels)
            match = matching_loss(*rows, BETA)
            terms["G_match"] = match.detach()
            total = total + config.matching_weight * match
        return total

    def _standardise(self, statistics: tuple[Floats, float] | None) -> None:
        if statistics is None:
            raise ValueError("rdg.standardise_speech is true, but `speech_statistics` is None")
        mean, deviation = statistics
        self.generator.conditioning.standardise(torch.from_numpy(mean), deviation)

    def _supervision(self, embedding_dim: int) -> Supervision:
        config = self.config
        return Supervision(
            embedding_dim=embedding_dim, lr=config.lr_d, betas=config.betas, device=self.device
        )

    def _judging(self, learns: bool) -> None:
        # The generator's update needs no gradient of the discriminators' weights.
        for judge in self.discriminators:
            judge.requires_grad_(learns)

    def _prepared(self, pictures: Tensor, drawn: list[Drawn]) -> list[Tensor]:
        return self._transformed(to_scales(pictures, self.generator.sizes), drawn)

    def _transformed(self, scales: list[Tensor], drawn: list[Drawn]) -> list[Tensor]:
        kinds = self.config.augment
        return [
            transform(images, kinds, numbers) for images, numbers in zip(scales, drawn, strict=True)
        ]

    @torch.no_grad()
    def _wrong_condition(self, batch: Placed) -> Tensor | None:
        if batch.wrong_speech is None:
            return None
        condition: Condition = self.generator.conditioning(
            self._embedded(batch.wrong_speech), batch.condition_noise
        )
        return condition.mu if self.config.condition_on == "mu" else condition.sample

    def _embedded(self, speech: Tensor | Sequences) -> Tensor:
        if not isinstance(speech, Sequences):
            if self.learning is not None:
                raise ValueError("the batch holds embeddings, of which the encoder cannot learn")
            return speech
        if self.learning is None:
            raise ValueError("the batch holds speech to be embedded, and no encoder learns")
        return self.learning(speech)

    def _learning(self, encoder: DescriptionEncoder) -> LearningEncoder:
        return LearningEncoder(
            encoder,
            lr=self.config.lr_g,
            betas=self.config.betas,
            ema_decay=self.config.ema_decay,
            device=self.device,
        )

    def _adam(self, module: nn.Module, rate: float) -> Adam:
        betas = self.config.betas
        return Adam(module.parameters(), lr=rate, betas=betas, device=self.device)

    @property
    def averaged_generator(self) -> Generator:
        """The average of the generator over the steps, with copied batch norm statistics."""
        return cast(Generator, self.ema.module)

    def state_dict(self) -> dict[str, Any]:
        """Everything that :meth:`load_state_dict` needs to go on as if nothing had happened."""
        state = {
            "generator": self.generator.state_dict(),
            "discriminators": [judge.state_dict() for judge in self.discriminators],
            "ema": self.ema.state_dict(),
            "adam_g": self._adam_g.state_dict(),
            "adam_d": self._adam_d.state_dict(),
        }
        if self.supervision is not None:
            state["supervision"] = self.supervision.state_dict()
        if self.learning is not None:
            state["encoder"] = self.learning.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.generator.load_state_dict(state["generator"])
        for judge, saved in zip(self.discriminators, state["discriminators"], strict=True):
            judge.load_state_dict(saved)
        self.ema.load_state_dict(state["ema"])
        self._adam_g.load_state_dict(state["adam_g"])
        self._adam_d.load_state_dict(state["adam_d"])
        if self.supervision is not None:
            self.supervision.load_state_dict(state["supervision"])
        if self.learning is not None:
            self.learning.load_state_dict(state["encoder"])
        self._graphs.forget()  # they know the optimisers' old places


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
