"""Every component of the comparison adds or removes exactly what it says."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from s2igan.rdg import train as stage
from s2igan.rdg.generator import NextStage
from s2igan.rdg.networks import build_discriminators, build_generator
from s2igan.rdg.step import RdgStep
from tests.rdg.makers import (
    EMBEDDING_DIM,
    random_batch,
    rdg_config,
    small_generator,
    unconditioned,
    write_inputs,
)
from tests.rdg.test_step import generator_weights, make
from tests.rdg.test_train import train

Dense = Literal["none", "paper", "released"]
PAPER: dict[str, Any] = {
    "base_size": 64,
    "crop": 256,
    "gf": 64,
    "df": 64,
    "noise_dim": 100,
    "condition_dim": 128,
    "residual_blocks": 2,
}
SIZES = (8, 16, 32)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def paper_parameters(dense: Dense) -> int:
    with torch.device("meta"):
        return count(build_generator(rdg_config(**PAPER, dense=dense), 1024))


def test_stacking_costs_what_its_convolutions_take() -> None:
    none = paper_parameters("none")
    assert round(paper_parameters("released") / 1e6, 2) == 21.29  # the authors' code
    # Each up-block of F1 and F2 reads twice the channels: 3 x 3 x 64 x 64 and 3 x 3 x 32 x 32.
    assert paper_parameters("released") - none == 9 * (64 * 64 + 32 * 32) == 46_080
    # F2's first convolution reads h0, 64 channels, besides.
    assert paper_parameters("paper") - none == 9 * 64 * 64


@pytest.mark.parametrize(("blocks", "widest"), [(1, 12), (3, None)])
def test_networks_are_as_deep_and_as_wide_as_the_parameters_say(
    blocks: int, widest: int | None
) -> None:
    config = rdg_config(residual_blocks=blocks, d_widest=widest)
    later = build_generator(config, EMBEDDING_DIM).later
    assert [len(part.residual) for part in later if isinstance(part, NextStage)] == [blocks] * 2
    judges = nn.ModuleList(build_discriminators(config))
    widths = [part.out_channels for part in judges.modules() if isinstance(part, nn.Conv2d)]
    assert max(widths) == (widest or 32)


def stage_inputs(dense: Dense) -> list[list[int]]:
    """Channels of the maps that F1 and F2 are given."""
    generator = small_generator(dense=dense)
    seen: list[list[int]] = []
    for later in generator.later:
        later.register_forward_pre_hook(
            lambda _module, inputs: seen.append([h.shape[1] for h in inputs[0]])
        )
    generator(torch.randn(3, EMBEDDING_DIM), torch.randn(3, 4), torch.randn(3, 5))
    return seen


@pytest.mark.parametrize(
    ("dense", "expected"),
    [("none", [[8], [4]]), ("released", [[8], [4]]), ("paper", [[8], [8, 4]])],
)
def test_stages_are_given_the_maps_of_equation_7_or_the_last_alone(
    dense: Dense, expected: list[list[int]]
) -> None:
    assert stage_inputs(dense) == expected


def test_without_supervisor_the_generators_loss_is_the_sum_of_the_others() -> None:
    config = rdg_config(kl_weight=0.7, uncond_weight=0.3)
    batch = random_batch(config)
    plain, supervised = (
        make(kl_weight=0.7, uncond_weight=0.3),
        make(True, kl_weight=0.7, uncond_weight=0.3, rs_weight=0.4),
    )
    for step, terms in ((plain, plain(0, batch)), (supervised, supervised(0, batch))):
        expected = 0.7 * terms["KL"] + sum(terms[f"G_{size}"] for size in SIZES)
        if step is supervised:
            expected = expected + 0.4 * terms["G_RS"]
        else:
            assert not {"RS", "G_RS"} & set(terms)
        torch.testing.assert_close(total_of(step, batch), expected)


def total_of(step: RdgStep, batch: Any) -> Tensor:
    """What the generator's update of a fresh copy goes back from."""
    fresh = make(
        step.config.use_rs,
        **step.config.model_dump(include={"kl_weight", "uncond_weight", "rs_weight"}),
    )
    totals: list[Tensor] = []
    backward = torch.autograd.backward

    def keep(loss: Tensor) -> None:
        totals.append(loss.detach())
        backward(loss)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.autograd.backward", keep)
        fresh(0, batch)
    return totals[-1]  # discriminators, then the supervisor, then the generator


def test_the_supervisor_costs_its_own_parameters_and_no_other() -> None:
    plain, supervised = make(), make(supervised=True)
    assert plain.supervision is None
    assert supervised.supervision is not None
    hidden = 128
    expected = (2 * EMBEDDING_DIM + 1) * hidden + 2 * hidden + (hidden + 1) * 3
    assert count(supervised.supervision.relation) == expected
    assert torch.equal(generator_weights(plain), generator_weights(supervised))
    for one, other in zip(plain.discriminators, supervised.discriminators, strict=True):
        for a, b in zip(one.parameters(), other.parameters(), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("wrong_pairs", ["pictures", "speech"])
def test_wrong_pairs_add_their_terms_and_nothing_else(wrong_pairs: str) -> None:
    batch = random_batch(rdg_config(wrong_pairs=wrong_pairs))
    none, pairs = make(wrong_pairs="none"), make(wrong_pairs=wrong_pairs)
    before = none(0, replace(batch, wrong=None, wrong_speech=None))
    after = pairs(0, batch)
    assert set(after) - set(before) == {f"D_{size}_wrong_accuracy" for size in SIZES}
    for size in SIZES:
        assert float(after[f"D_{size}"]) > float(before[f"D_{size}"])
    torch.testing.assert_close(after["KL"], before["KL"], rtol=0, atol=0)


def test_wrong_speech_judges_the_real_picture_under_the_other_condition() -> None:
    batch = random_batch(rdg_config())
    told: dict[str, dict[str, Tensor]] = {}
    for name, value in {
        "as it is": batch,
        "other speech": replace(batch, wrong_speech=-batch.wrong_speech),  # type: ignore[operator]
    }.items():
        told[name] = make(wrong_pairs="speech")(0, value)
    assert not torch.equal(told["as it is"]["D_32"], told["other speech"]["D_32"])


USES = {"none": None, "pictures": "wrong", "speech": "wrong_speech"}


@pytest.mark.parametrize("wrong_pairs", USES)
def test_the_config_decides_which_mismatched_pairs_of_a_batch_are_used(wrong_pairs: str) -> None:
    batch = random_batch(rdg_config(wrong_pairs="pictures"))  # which holds both kinds
    changes: dict[str, Any] = {"wrong_pairs": wrong_pairs, "augment": ["brightness", "cutout"]}
    told = make(**changes)(0, batch)
    for name in ("wrong", "wrong_speech"):
        nothing: dict[str, Any] = {name: None}
        without = replace(batch, **nothing)
        if USES[wrong_pairs] == name:
            said = f"^rdg.wrong_pairs is '{wrong_pairs}', but `{name}` of the batch is None$"
            with pytest.raises(ValueError, match=said):
                make(**changes)(0, without)
        else:
            again = make(**changes)(0, without)
            assert told.keys() == again.keys()
            assert all(torch.equal(told[key], again[key]) for key in told)
    assert ("D_32_wrong_accuracy" in told) == (wrong_pairs != "none")


@pytest.mark.parametrize("condition_on", ["mu", "sample"])
def test_discriminators_are_given_the_mean_or_a_sample(condition_on: str) -> None:
    step = make(condition_on=condition_on, wrong_pairs="none")
    batch = random_batch(step.config)
    inputs = (batch.speech, batch.condition_noise)
    with torch.no_grad():
        condition = step.generator.conditioning(*map(torch.from_numpy, inputs))
    given: list[Tensor] = []
    for judge in step.discriminators:
        judge.joint.register_forward_pre_hook(lambda _module, args: given.append(args[1]))
    step(0, batch)
    expected = condition.mu if condition_on == "mu" else condition.sample
    assert len(given) == 9  # three scales: real, generated, and once more for the generator
    # The discriminators' own update sends no gradient into F_ca, the generator's does.
    assert [seen.requires_grad for seen in given] == [False] * 6 + [True] * 3
    for seen in given:
        torch.testing.assert_close(seen, expected)
    assert not torch.allclose(condition.mu, condition.sample)


def test_the_kl_term_reaches_the_conditioning_by_its_weight_alone() -> None:
    for weight in (0.0, 2.0):
        step = make(kl_weight=weight, lr_g=1e-2)
        # Where nothing heeds the condition, only the KL term moves F_ca.
        nn.init.zeros_(step.generator.first.linear.weight)
        for later in step.generator.later:
            nn.init.zeros_(later.joint.weight)  # type: ignore[arg-type,union-attr]
        for judge in step.discriminators:
            judge.joint.register_forward_pre_hook(unconditioned)
        before = step.generator.conditioning.linear.weight.detach().clone()
        terms = step(0, random_batch(step.config))
        assert "KL" in terms
        moved = not torch.equal(before, step.generator.conditioning.linear.weight.detach())
        assert moved == bool(weight)


@pytest.mark.parametrize(
    ("changes", "loads"),
    [
        ({"use_rs": False, "matching_weight": 0.0}, False),
        ({"use_rs": True}, True),
        ({"use_rs": False, "matching_weight": 1.0}, True),
    ],
)
def test_the_image_encoder_is_loaded_only_where_it_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], loads: bool
) -> None:
    loaded: list[Path] = []

    def load(*paths: Any) -> Any:
        loaded.append(paths[2])
        return lambda images: images.mean(dim=(2, 3)).repeat(1, 2)

    monkeypatch.setattr(stage, "load_image_embedding", load)
    inputs = write_inputs(tmp_path)
    train(inputs, tmp_path, steps=1, **changes)
    assert loaded == ([inputs["sen"]] if loads else [])
