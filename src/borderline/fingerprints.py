"""The settings that fingerprints of trainings leave out at their usual value."""

from __future__ import annotations

from collections.abc import Mapping

REFERENCE = "metrics.epoch_reference"
NOISE_DIGEST = "digest of generation.noise_file"
STEP_2_SEED = "seed of grid.step_2_seeds"

EARLIER: Mapping[str, str | int | None] = {
    REFERENCE: "pair",
    NOISE_DIGEST: None,
    STEP_2_SEED: None,
}
"""Their usual values, which checkpoints of earlier versions have too."""

AT_HALF: Mapping[str, str | float] = {
    "confusion.threshold": 0.5,
    "confusion.scale": "probability",
}
"""The boundary of checkpoints of earlier versions. Before a run that chooses the threshold by an
operating point, it is not known, and not compared."""
