"""How the pictures were drawn, and by which model, as ``samples.json`` tells it beside them."""

import json
from dataclasses import dataclass
from pathlib import Path

from s2igan.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """What protocols quote of pictures that any model drew.

    Args:
        split: whose captions were drawn, ``test`` or ``val``; the set of their samples has its
            name.
        captions_per_picture: of each real picture, at most.
        by: the model, as sentences name it.
    """

    split: str
    captions_per_picture: int
    by: str

    @staticmethod
    def read(samples: Path) -> "Drawing":
        """Read ``samples.json``; without ``by`` it is the stage ``sample``'s own.

        Raises:
            UserError: if it is missing or broken.
        """
        path = samples / "samples.json"
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            return Drawing(**told) if "by" in told else OwnDrawing(**told)
        except (OSError, ValueError, TypeError) as error:
            raise UserError(
                f"{str(path)!r}",
                got=str(error),
                expected="what the stage sample says of its pictures, or split, "
                "captions_per_picture and by for another model's",
                fix="run `dvc repro sample`",
            ) from error

    def sentence(self, count: int) -> str:
        """Say how ``count`` pictures were drawn."""
        captions = "caption" if self.captions_per_picture == 1 else "captions"
        return (
            f"{count} pictures drawn for {self.split} classes, {self.captions_per_picture} "
            f"{captions} per picture"
        )


@dataclass(frozen=True, kw_only=True)
class OwnDrawing(Drawing):
    """The settings that the stage ``sample`` drew by.

    Args:
        noise: ``per_picture``, where the captions of a picture share one vector, or
            ``per_utterance``.
        ca_noise: whether F_ca was sampled; else it is its mean.
        truncation: standard deviations beyond which noise was drawn again; None = never.
    """

    by: str = "the averaged generator at the last step"
    noise: str
    ca_noise: bool
    truncation: float | None

    def sentence(self, count: int) -> str:
        """Say how ``count`` pictures were drawn."""
        noise = {
            "per_picture": "one noise vector for all captions of a picture",
            "per_utterance": "a noise vector for each caption",
        }[self.noise]
        condition = "sampled" if self.ca_noise else "at its mean"
        truncated = (
            "not truncated"
            if self.truncation is None
            else f"truncated at {self.truncation:g} standard deviations"
        )
        return f"{super().sentence(count)}, {noise}, F_ca {condition}, noise {truncated}"
