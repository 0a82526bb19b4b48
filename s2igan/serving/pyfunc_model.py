"""The model as MLflow serves it: MLflow runs this file, whose last line says what the model is."""

import base64
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import mlflow.models
import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.pyfunc.model import PythonModel

from s2igan.engine.pictures import encode_png, tile
from s2igan.errors import UserError
from s2igan.serving.model import SpeechToImage
from s2igan.serving.recording import Recording, check_recording, read_recording

_COLUMNS = "`recording`, or `samples` with `rate_hz`"


class SpokenPictures(PythonModel):
    """Recordings in, PNG pictures out."""

    def load_context(self, context: Any) -> None:
        """Load the model folder that was logged."""
        self._model = SpeechToImage.load(Path(context.artifacts["model"]))

    def predict(
        self,
        context: Any,  # noqa: ARG002
        model_input: pd.DataFrame,
        params: dict[str, Any] | None = None,
    ) -> list[dict[str, str]]:
        """Draw what recordings describe.

        Args:
            context: not used.
            model_input: one recording a row: ``recording``, a WAV, FLAC, OGG or MP3 file in base64;
                or, in every row, ``samples`` in [-1, 1] with ``rate_hz``.
            params: ``count`` pictures of each in a row, ``seed`` of the noise, ``truncation`` of
                it, 0 for none; null is as if left out.

        Returns:
            For each row ``{"png": …}``, a PNG file in base64.

        Raises:
            MlflowException: if a recording or parameter is bad; a server answers with code 400 and
                one line.
        """
        given = {name: value for name, value in (params or {}).items() if value is not None}
        asked = {"count": 1, "seed": 0, "truncation": 0.0} | given
        try:
            if model_input.columns.empty:  # MLflow drops those that the signature does not name
                raise UserError("rows", got="no column known here", expected=_COLUMNS)
            recordings = [
                _recording(row, f"of row {number}")
                for number, row in enumerate(model_input.to_dict("records"))
            ]
            pictures = self._model.draw(
                self._model.embed(recordings),
                count=int(asked["count"]),
                seed=int(asked["seed"]),
                truncation=float(asked["truncation"]) or None,
            )
        except UserError as error:
            raise MlflowException(str(error), error_code=INVALID_PARAMETER_VALUE) from None
        files = [encode_png(tile(row, columns=len(row))) for row in pictures]
        return [{"png": base64.b64encode(file).decode()} for file in files]


def _recording(row: dict[Any, Any], name: str) -> Recording:
    if isinstance(file := row.get("recording"), str):
        try:
            content = base64.b64decode(file, validate=True)
        except ValueError as error:  # binascii's, or of a character beyond ASCII
            raise UserError(
                f"recording {name}", got=str(error), expected="an audio file in base64"
            ) from None
        with tempfile.NamedTemporaryFile() as copy:
            copy.write(content)
            copy.flush()
            return read_recording(Path(copy.name), name)
    samples, rate_hz = row.get("samples"), row.get("rate_hz")
    if isinstance(file, np.ndarray) or isinstance(rate_hz, np.ndarray):
        raise UserError(
            f"recording {name}",
            got="a whole column",
            expected="one recording a row",
            fix="send the rows as `dataframe_records`",
        )
    if samples is None:
        raise UserError(f"recording {name}", got="none", expected=_COLUMNS)
    return check_recording(np.asarray(samples, np.float64), _rate(rate_hz, name), name)


def _rate(rate_hz: Any, name: str) -> float:
    with suppress(TypeError, ValueError, OverflowError):
        if np.isfinite(rate := float(rate_hz)):
            return rate
    got = "no rate_hz" if rate_hz is None else f"rate_hz {rate_hz!r}"
    raise UserError(f"recording {name}", got=got, expected="samples a second")


mlflow.models.set_model(SpokenPictures())
