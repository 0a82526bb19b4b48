"""How the pictures were drawn, and by which model, as ``samples.json`` tells it beside them."""

import json
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from s2igan.engine.section import Section, field_problems
from s2igan.errors import UserError

MEND = "run `dvc repro sample`, or write another model's as docs/python.md shows"
"""What to do about samples that cannot be judged, whoever drew them."""


class Drawing(Section):
    """What protocols quote of pictures that any model drew."""

    split: Literal["test", "val"] = Field(
        description="whose captions were drawn; the set of their samples has its name"
    )
    captions_per_picture: int = Field(ge=1, description="of each real picture, at most")
    by: str = Field(min_length=1, description="the model, as sentences name it")

    @staticmethod
    def read(samples: Path) -> "Drawing":
        """Read ``samples.json``; without ``by`` it is the stage ``sample``'s own.

        Raises:
            UserError: if it is missing or broken, or says something else.
        """
        path = samples / "samples.json"
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            another = isinstance(told, dict) and "by" in told
            return (Drawing if another else OwnDrawing).model_validate(told)
        except ValidationError as error:
            problems = " | ".join(field_problems(error, "docs/python.md or the stage sample has"))
            raise UserError(f"{str(path)!r}: {problems}", fix=MEND) from error
        except (OSError, ValueError) as error:
            raise UserError(
                f"{str(path)!r}",
                got=getattr(error, "strerror", None) or str(error),
                expected="what the stage sample says of its pictures",
                fix=MEND,
            ) from error

    def sentence(self, count: int, captions: npt.NDArray[np.integer], units: str) -> str:
        """Say how ``count`` pictures were drawn.

        Args:
            count: drawn pictures.
            captions: ``(n,)``, how many captions of each described picture were drawn.
            units: what belongs to one split as a whole, such as ``classes``.
        """
        least, most = int(captions.min()), int(captions.max())
        return (
            f"{count} pictures drawn for {self.split} {units}, "
            f"{'at most ' * (least < most)}{most} caption{'s' * (most > 1)} per picture"
        )


class OwnDrawing(Drawing):
    """The settings that the stage ``sample`` drew by."""

    by: str = "the averaged generator at the last step"
    noise: Literal["per_picture", "per_utterance"] = Field(
        description="whether the captions of a picture share z"
    )
    ca_noise: bool = Field(description="whether F_ca was sampled; else it is its mean")
    truncation: float | None = Field(
        description="standard deviations beyond which noise was drawn again; None = never"
    )

    def sentence(self, count: int, captions: npt.NDArray[np.integer], units: str) -> str:
        """Say how ``count`` pictures were drawn, and with which noise."""
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
        told = super().sentence(count, captions, units)
        return f"{told}, {noise}, F_ca {condition}, noise {truncated}"
