"""The settings that fingerprints of trainings leave out at their usual value."""

from __future__ import annotations

from collections.abc import Mapping

REFERENCE = "metrics.epoch_reference"
NOISE_DIGEST = "digest of generation.noise_file"
STEP_2_SEED = "seed of grid.step_2_seeds"
CLASSIFIER_DIGEST = "classifier digest"

Value = int | float | str | bool | None

EARLIER: Mapping[str, Value] = {
    REFERENCE: "pair",
    NOISE_DIGEST: None,
    STEP_2_SEED: None,
}
"""Their usual values, which checkpoints of earlier versions have too."""

_CHANNELS, _GREY = "model.input.channels", "model.input.grey"
_THRESHOLD, _BAND, _SCALE = (f"confusion.{name}" for name in ("threshold", "band", "scale"))


def completed(made_with: Mapping[str, Value]) -> dict[str, Value]:
    """The fingerprint of a checkpoint, with what earlier versions did not write.

    They knew only the threshold 0.5 and the scale of p. A training depends on the scale only where
    it depends on the band.
    """
    boundary = {_THRESHOLD: 0.5} | ({_SCALE: "probability"} if _BAND in made_with else {})
    imported: dict[str, Value] = {_GREY: None} if _CHANNELS in made_with else {}
    return {**EARLIER, **boundary, **imported, **made_with}
