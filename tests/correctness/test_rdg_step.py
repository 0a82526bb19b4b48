"""One whole update of the RDG against an independent one, term by term and gradient by gradient."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from s2igan.rdg.batches import Batch
from s2igan.rdg.step import RdgStep
from tests.correctness import plain_rdg as plain
from tests.correctness.plain_adam import moved, watch_gradients
from tests.rdg.makers import EMBEDDING_DIM, random_batch, rdg_config

CPU = torch.device("cpu")
SIZES = (8, 16, 32)
ENCODER_SIDE = 8
UPDATES = 3
STILL = 1e-12  # a rate at which nothing moves


class FrozenEncoder(nn.Module):
    """Stands for the SEN's image encoder behind its backbone; it has weights that must not move."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3 * ENCODER_SIDE**2, EMBEDDING_DIM)
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        small = F.avg_pool2d(images, images.shape[-1] // ENCODER_SIDE)
        return F.normalize(self.linear(small.flatten(1)), dim=1)


def make(**changes: Any) -> tuple[RdgStep, FrozenEncoder, Batch]:
    torch.manual_seed(1)
    encoder = FrozenEncoder()
    fixed = {"use_rs": True, "batch_size": 6, "speech_encoder": "trained"}
    config = rdg_config(**{**fixed, "class_aware_weight": 0.0, **changes})
    looks = config.use_rs or config.matching_weight > 0
    step = RdgStep(
        config,
        embedding_dim=EMBEDDING_DIM,
        embed_image=encoder if looks else None,
        device=CPU,
    )
    return step, encoder, random_batch(config, seed=4)


def weights_of(module: nn.Module) -> dict[str, Tensor]:
    """Float64 leaves of a module's parameters, apart from the module's own."""
    return {
        name: value.detach().double().clone().requires_grad_(True)
        for name, value in module.named_parameters()
    }


def scales(pictures: object) -> list[Tensor]:
    assert isinstance(pictures, np.ndarray)
    values = torch.from_numpy(pictures.astype(np.float64) / 127.5 - 1)
    return [
        values.reshape(len(values), side, -1, side, values.shape[1] // side, 3)
        .mean(dim=(2, 4))
        .permute(0, 3, 1, 2)
        for side in SIZES
    ]


class Expected:
    """The update once more: terms, and the gradient of every network."""

    def __init__(self, step: RdgStep, encoder: FrozenEncoder, batch: Batch) -> None:
        self.config, self.encoder, self.batch = step.config, encoder, batch
        self.generator = weights_of(step.generator)
        self.judges = [weights_of(judge) for judge in step.discriminators]
        self.relation = weights_of(step.supervision.relation) if step.supervision else {}
        self.terms: dict[str, Tensor] = {}

    def array(self, name: str) -> Tensor:
        return torch.from_numpy(getattr(self.batch, name)).double()

    def generate(self) -> None:
        speech, z, noise = map(self.array, ("speech", "noise", "condition_noise"))
        drawn = plain.generate(self.generator, speech, z, noise, self.config.dense)
        self.images, self.mu, self.logvar, self.sample = drawn
        self.shown = self.mu if self.config.condition_on == "mu" else self.sample

    def discriminate(self) -> None:
        """Eq. (12), and the mismatched pairs of the authors' code or of ours."""
        condition = self.shown.detach()
        reals, wrongs = scales(self.batch.real), None
        if self.batch.wrong is not None:
            wrongs = scales(self.batch.wrong)
        for place, (judge, size) in enumerate(zip(self.judges, SIZES, strict=True)):
            real, alone = plain.probabilities(judge, reals[place], condition)
            fake, fake_alone = plain.probabilities(judge, self.images[place].detach(), condition)
            loss = plain.log_loss(real, True) + plain.log_loss(fake, False)
            free = plain.log_loss(alone, True) + plain.log_loss(fake_alone, False)
            if wrongs is not None:
                wrong, wrong_alone = plain.probabilities(judge, wrongs[place], condition)
                loss = loss + plain.log_loss(wrong, False)
                free = free + plain.log_loss(wrong_alone, True)
            elif self.config.wrong_pairs == "speech":
                other = self.other_condition().detach()
                wrong, _ = plain.probabilities(judge, reals[place], other)
                loss = loss + plain.log_loss(wrong, False)
            self.terms[f"D_{size}"] = loss + self.config.uncond_weight * free
            torch.autograd.backward(self.terms[f"D_{size}"])

    def other_condition(self) -> Tensor:
        mu, _, sample = plain.augmented(
            plain.part(self.generator, "conditioning."),
            self.array("wrong_speech"),
            self.array("condition_noise"),
        )
        return mu if self.config.condition_on == "mu" else sample

    def seen(self) -> Tensor:
        """The SEN's embedding of the generated pictures of the last scale."""
        encoder = self.encoder
        small = F.avg_pool2d((self.images[-1] + 1) / 2, SIZES[-1] // ENCODER_SIDE).flatten(1)
        mapped = small @ encoder.linear.weight.double().T + encoder.linear.bias.double()
        unit: Tensor = mapped / mapped.norm(dim=1, keepdim=True)
        return unit

    def relations(self, state: plain.State, fake: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        truth = self.array("truth_seen")
        others = [self.array("same_seen"), self.array("wrong_seen"), truth, fake]
        positive, negative, undesired, drawn = plain.relation_probabilities(state, truth, others)
        return positive[:, 0], negative[:, 1], undesired[:, 2], drawn[:, 0]

    def supervise(self) -> None:
        """Eq. (8)."""
        likelihoods = self.relations(self.relation, self.seen().detach())
        self.terms["RS"] = sum((-p.log().mean() for p in likelihoods), torch.zeros(()))
        torch.autograd.backward(self.terms["RS"])

    def guide(self, judges: list[dict[str, Tensor]], relation: dict[str, Tensor]) -> None:
        """Eqs. (9) and (10) with the KL term, before networks that have taken their step."""
        total = torch.zeros((), dtype=torch.float64)
        for judge, image, size in zip(judges, self.images, SIZES, strict=True):
            fake, alone = plain.probabilities(judge, image, self.shown)
            loss = plain.log_loss(fake, True)
            loss = loss + self.config.uncond_weight * plain.log_loss(alone, True)
            self.terms[f"G_{size}"] = loss
            total = total + loss
        variance = self.logvar.exp()
        self.terms["KL"] = (self.mu**2 + variance - 1 - self.logvar).mean() / 2
        total = total + self.config.kl_weight * self.terms["KL"]
        if self.config.use_rs:
            self.terms["G_RS"] = -self.relations(relation, self.seen())[3].log().mean()
            total = total + self.config.rs_weight * self.terms["G_RS"]
        if self.config.matching_weight:
            scores = (10 * self.array("speech") @ self.seen().T).exp()
            match = scores.diagonal() ** 2 / scores.sum(dim=0) / scores.sum(dim=1)
            self.terms["G_match"] = -match.log().mean()
            total = total + self.config.matching_weight * self.terms["G_match"]
        self.total = total


KINDS: list[dict[str, Any]] = [
    {},
    {"dense": "none", "wrong_pairs": "pictures", "kl_weight": 0.05, "uncond_weight": 0.5},
    {"dense": "released", "wrong_pairs": "none", "condition_on": "sample", "rs_weight": 3.0},
    {"condition_on": "sample", "matching_weight": 2.0},
    {"use_rs": False, "wrong_pairs": "pictures"},
]


def first_gradients(optimiser: torch.optim.Optimizer, module: nn.Module) -> dict[str, Tensor]:
    """What Adam was given in its first step: its first moment is (1 - beta1) times that."""
    beta = optimiser.param_groups[0]["betas"][0]
    return {
        name: optimiser.state[parameter]["exp_avg"].double() / (1 - beta)
        for name, parameter in module.named_parameters()
    }


def assert_gradients(found: dict[str, Tensor], leaves: dict[str, Tensor]) -> None:
    largest = max(float(value.abs().max()) for value in found.values())
    for name, leaf in leaves.items():
        assert leaf.grad is not None, name
        torch.testing.assert_close(found[name], leaf.grad, atol=2e-5 * largest, rtol=2e-3)


@pytest.mark.parametrize("changes", KINDS, ids=lambda changes: "-".join(map(str, changes.values())))
def test_an_update_is_the_papers(changes: dict[str, Any]) -> None:
    step, encoder, batch = make(**changes)
    expected = Expected(step, encoder, batch)
    terms = step(0, batch)
    expected.generate()
    expected.discriminate()
    if step.supervision is not None:
        expected.supervise()
    # The generator stands before discriminators and a supervisor that have learnt already.
    expected.guide(
        [weights_of(judge) for judge in step.discriminators],
        weights_of(step.supervision.relation) if step.supervision else {},
    )
    torch.autograd.backward(expected.total)
    losses = {name: value for name, value in terms.items() if "accuracy" not in name}
    assert losses.keys() == expected.terms.keys()
    for name, value in losses.items():
        torch.testing.assert_close(value.double(), expected.terms[name].detach(), rtol=1e-4, atol=0)
    for judge, leaves in zip(step.discriminators, expected.judges, strict=True):
        assert_gradients(first_gradients(step._adam_d, judge), leaves)
    if step.supervision is not None:
        found = first_gradients(step.supervision._adam, step.supervision.relation)
        assert_gradients(found, expected.relation)
    assert_gradients(first_gradients(step._adam_g, step.generator), expected.generator)


def test_updates_of_adam_are_its_formula() -> None:
    # In the first update the decay rates cancel.
    betas = [0.3, 0.9]
    step, _, _ = make(lr_g=3e-3, lr_d=1e-3, betas=betas)
    assert step.supervision is not None
    networks = [
        (step.generator, step._adam_g, 3e-3),
        (nn.ModuleList(step.discriminators), step._adam_d, 1e-3),
        (step.supervision.relation, step.supervision._adam, 1e-3),
    ]
    before = [weights_of(network) for network, _, _ in networks]
    seen = [watch_gradients(optimiser) for _, optimiser, _ in networks]
    for number in range(UPDATES):
        step(number, random_batch(step.config, seed=number))
    for (network, _, rate), old, gradients in zip(networks, before, seen, strict=True):
        for name, parameter in network.named_parameters():
            assert len(gradients[parameter]) == UPDATES
            expected = moved(old[name].detach(), gradients[parameter], [rate] * UPDATES, betas)
            found = parameter.detach().double()
            torch.testing.assert_close(found, expected, atol=rate * 2e-2, rtol=0)


def test_no_gradient_is_carried_into_the_next_update() -> None:
    # Where no weight moves to speak of, a batch gives the same gradients again.
    step, _, batch = make(lr_g=STILL, lr_d=STILL)
    assert step.supervision is not None
    for optimiser in (step._adam_g, step._adam_d, step.supervision._adam):
        gradients = watch_gradients(optimiser)
        step(0, batch)
        step(0, batch)
        for first, second in gradients.values():
            torch.testing.assert_close(second, first, atol=1e-6, rtol=1e-3)


def snapshot(modules: list[nn.Module], *optimisers: torch.optim.Optimizer) -> list[Tensor]:
    """All parameters and all that Adam remembers of them; running statistics are no weights."""
    kept = [p.detach().clone() for module in modules for p in module.parameters()]
    for optimiser in optimisers:
        for state in optimiser.state.values():
            kept += [value.clone() for value in state.values()]
    return kept


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def watch(
    monkeypatch: pytest.MonkeyPatch, step: RdgStep, method: str, look: Callable[[], list[Tensor]]
) -> list[bool]:
    """Whether what ``look`` sees is the same after ``method`` as before, call by call."""
    calls: list[bool] = []
    original = getattr(step, method)

    def watched(*arguments: Any, **named: Any) -> Any:
        before = look()
        result = original(*arguments, **named)
        calls.append(same(before, look()))
        return result

    monkeypatch.setattr(step, method, watched)
    return calls


def test_each_turn_moves_its_own_network_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    step, encoder, batch = make(matching_weight=1.0)
    assert step.supervision is not None
    judges: list[nn.Module] = list(step.discriminators)
    relation, adam_rs = step.supervision.relation, step.supervision._adam
    looks: dict[str, Callable[[], list[Tensor]]] = {
        "generator": lambda: snapshot([step.generator], step._adam_g),
        "discriminators": lambda: snapshot(judges, step._adam_d),
        "relation": lambda: snapshot([relation], adam_rs),
        "encoder": lambda: snapshot([encoder]),
    }
    moves = {
        "_update_discriminators": {"discriminators"},
        "_guidance": {"relation"},
        "_update_generator": {"generator"},
    }
    step(0, batch)  # so that every optimiser has moments to disturb
    calls = {
        (method, name): watch(monkeypatch, step, method, look)
        for method in moves
        for name, look in looks.items()
    }
    step(1, batch)
    for (method, name), stayed in calls.items():
        assert stayed == [name not in moves[method]], (method, name)
    assert all(weight.grad is None for weight in encoder.parameters())


@pytest.mark.parametrize(
    "change",
    [{"rs_weight": 5.0}, {"kl_weight": 9.0}, {"uncond_weight": 0.0}, {"matching_weight": 4.0}],
    ids=lambda change: next(iter(change)),
)
def test_every_weight_reaches_the_generator(change: dict[str, float]) -> None:
    # No dead term: a different weight gives the generator another gradient.
    base = {"rs_weight": 1.0, "kl_weight": 1.0, "uncond_weight": 1.0, "matching_weight": 1.0}
    gradients = []
    for weights in (base, {**base, **change}):
        step, _, batch = make(**weights)
        step(0, batch)
        gradients.append(
            first_gradients(step._adam_g, step.generator)["conditioning.linear.weight"]
        )
    assert float((gradients[0] - gradients[1]).abs().max()) > 1e-4 * float(gradients[0].abs().max())


def test_the_average_is_its_closed_form() -> None:
    decay, count = 0.8, 5
    step, _, _ = make(ema_decay=decay, lr_g=5e-3)
    past = [[p.detach().double().clone() for p in step.generator.parameters()]]
    for number in range(count):
        step(number, random_batch(step.config, seed=number))
        past.append([p.detach().double().clone() for p in step.generator.parameters()])
    for place, average in enumerate(step.averaged_generator.parameters()):
        expected = decay**count * past[0][place]
        for number in range(1, count + 1):
            expected = expected + (1 - decay) * decay ** (count - number) * past[number][place]
        torch.testing.assert_close(average.double(), expected, atol=1e-6, rtol=1e-5)
