"""How the pictures were drawn, as the stage ``sample`` tells it beside them."""

import json
from dataclasses import dataclass
from pathlib import Path

from s2igan.errors import UserError


@dataclass(frozen=True)
class Drawing:
    """The settings that protocols quote.

    Args:
        split: whose captions were drawn, ``test`` or ``val``; the set of their samples has its
            name.
        noise: ``per_picture``, where the captions of a picture share one vector, or
            ``per_utterance``.
        ca_noise: whether F_ca was sampled; else it is its mean.
        truncation: standard deviations beyond which noise was drawn again; None = never.
        captions_per_picture: of each real picture, at most.
    """

    split: str
    noise: str
    ca_noise: bool
    truncation: float | None
    captions_per_picture: int

    @classmethod
    def read(cls, samples: Path) -> "Drawing":
        """Read ``samples.json``.

        Raises:
            UserError: if it is missing or broken.
        """
        path = samples / "samples.json"
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UserError(
                f"{str(path)!r}",
                got=str(error),
                expected="what the stage sample says of its pictures",
                fix="run `dvc repro sample`",
            ) from error

    def sentence(self, count: int) -> str:
        """Say how ``count`` pictures were drawn."""
        captions = "caption" if self.captions_per_picture == 1 else "captions"
        noise = {
            "per_picture": "one noise vector for all captions of a picture",
            "per_utterance": "a noise vector for each caption",
        }[self.noise]
        return (
            f"{count} pictures drawn for {self.split} classes, {self.captions_per_picture} "
            f"{captions} per picture, {noise}, F_ca "
            f"{'sampled' if self.ca_noise else 'at its mean'}, "
            + (
                "noise not truncated"
                if self.truncation is None
                else f"noise truncated at {self.truncation:g} standard deviations"
            )
        )
