import numpy as np
import pytest
import torch

from s2igan.rdg import augment as module
from s2igan.rdg.augment import TRANSFORMS, draw_transforms, transform


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 6, side: int = 16) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=draws(9)) * 2 - 1


def augment(images: torch.Tensor, kinds: list[str], generator: torch.Generator) -> torch.Tensor:
    drawn = draw_transforms(kinds, len(images), images.shape[-1], generator)
    return transform(images, kinds, drawn)


def test_translation_shifts_by_whole_pixels_and_fills_with_grey() -> None:
    images = pictures()
    moved = augment(images, ["translation"], draws()).numpy()
    reach = round(module.SHIFT * 16)
    shifts = set()
    for before, after in zip(images.numpy(), moved, strict=True):
        padded = np.pad(before, ((0, 0), (reach, reach), (reach, reach)))
        found = [
            (top, left)
            for top in range(2 * reach + 1)
            for left in range(2 * reach + 1)
            if np.array_equal(padded[:, top : top + 16, left : left + 16], after)
        ]
        assert len(found) == 1
        shifts.add(found[0])
    assert len(shifts) > 1


def test_translation_shifts_down_and_right_by_what_is_drawn() -> None:
    images = pictures(2, 5)
    down, right = torch.tensor([1, -2]).view(2, 1, 1), torch.tensor([2, 0]).view(2, 1, 1)
    moved = TRANSFORMS["translation"].apply(images, down, right)
    expected = torch.zeros_like(images)
    expected[0, :, 1:, 2:] = images[0, :, :-1, :-2]
    expected[1, :, :-2] = images[1, :, 2:]
    torch.testing.assert_close(moved, expected, rtol=0, atol=0)


def test_cutout_greys_out_one_square() -> None:
    images = torch.ones(40, 3, 20, 20)
    holes = augment(images, ["cutout"], draws()).eq(0).all(dim=1)
    side = round(module.HOLE * 20)
    sizes = {(int(h.any(1).sum()), int(h.any(0).sum())) for h in holes}
    assert (side, side) in sizes
    assert all(int(h.sum()) == int(h.any(1).sum()) * int(h.any(0).sum()) for h in holes)
    assert max(max(size) for size in sizes) == side


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("translation", -2, 2),  # an eighth of 16 px
        ("cutout", -3, 12),  # six px, half of them over the border at most
        ("brightness", -0.3, 0.3),
        ("saturation", 0.6, 1.4),
        ("contrast", 0.7, 1.3),
    ],
)
def test_draws_reach_as_far_as_they_may(kind: str, low: float, high: float) -> None:
    for numbers in TRANSFORMS[kind].draw(4000, 16, draws()):
        assert float(numbers.min()) == pytest.approx(low, abs=0.005)
        assert float(numbers.max()) == pytest.approx(high, abs=0.005)


def test_a_picture_is_changed_by_its_own_draws_alone() -> None:
    images = pictures(2)
    scales = torch.tensor([0.5, 2.0]).view(2, 1, 1, 1)
    for kind, axes in (("contrast", (1, 2, 3)), ("saturation", (1,))):
        still = images.mean(dim=axes, keepdim=True)
        changed = TRANSFORMS[kind].apply(images, scales)
        torch.testing.assert_close(changed - still, scales * (images - still))


def test_colour_changes_keep_what_they_should() -> None:
    images = pictures()
    brighter = augment(images, ["brightness"], draws()) - images
    torch.testing.assert_close(brighter, brighter[:, :1, :1, :1].expand_as(images))
    grey = augment(images, ["saturation"], draws()).mean(dim=1)
    torch.testing.assert_close(grey, images.mean(dim=1))
    mean = augment(images, ["contrast"], draws()).mean(dim=(1, 2, 3))
    torch.testing.assert_close(mean, images.mean(dim=(1, 2, 3)))


@pytest.mark.parametrize("kind", sorted(TRANSFORMS))
def test_every_transform_lets_the_gradient_through(kind: str) -> None:
    images = pictures(1, 5).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: augment(x, [kind], draws()), images)


@pytest.mark.parametrize("kind", sorted(TRANSFORMS))
def test_every_picture_draws_its_own_transform(kind: str) -> None:
    images = pictures(1).expand(8, -1, -1, -1)
    changed = augment(images, [kind], draws())
    assert len({tuple(image.flatten().tolist()) for image in changed}) > 2


def test_draws_follow_the_generator_alone() -> None:
    kinds = list(TRANSFORMS)
    images = pictures()
    torch.testing.assert_close(augment(images, kinds, draws(1)), augment(images, kinds, draws(1)))
    assert not torch.equal(augment(images, kinds, draws(1)), augment(images, kinds, draws(2)))
    assert augment(images, [], draws()) is images
