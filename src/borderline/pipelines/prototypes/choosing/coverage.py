"""Coverage curves: the share of borderline images with a prototype within each radius."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from borderline.params import RunParams
from borderline.pipelines.prototypes.choosing.measures import Audience, Chosen, nearest_prototype
from borderline.pipelines.prototypes.choosing.names import MOST_AMBIGUOUS, Selection
from borderline.pipelines.prototypes.choosing.selection import most_ambiguous

_RADII = 60
_CURVES = 200


def coverage_curve(chosen: Chosen, audience: Audience, radii: np.ndarray) -> np.ndarray:
    """The share of images whose nearest prototype is nearer than each radius.

    Args:
        chosen: The prototypes.
        audience: The images that they should represent.
        radii: Cosine distances, shape (R,).

    Returns:
        Shares in [0, 1], shape (R,); NaN without prototypes.
    """
    _, distance, _ = nearest_prototype(chosen, audience)
    if len(distance) == 0:
        return np.full(len(radii), np.nan)
    return np.asarray((distance[:, None] < radii).mean(0))


def coverage_curves(
    audience: Audience, selections: Mapping[Selection, np.ndarray], run: RunParams
) -> pd.DataFrame:
    """The curve of each selection, and the band that 95 % of random choices lie in.

    Args:
        audience: The images that the prototypes should represent.
        selections: Rows of the audience, by name.
        run: The seed.

    Returns:
        By ``radius``: a column a selection, ``random_low`` and ``random_high``; without clusters,
        no rows.
    """
    candidates, radii = audience.candidates, np.linspace(0, audience.radius, _RADII)
    count = len(candidates.clusters)
    if count == 0:
        return pd.DataFrame(columns=["radius"])
    chosen = {str(name): rows for name, rows in selections.items()}
    chosen[MOST_AMBIGUOUS] = most_ambiguous(candidates)
    random = np.random.default_rng(run.seed_for("random curves"))
    draws = [random.choice(len(candidates), count, replace=False) for _ in range(_CURVES)]

    def curves(choices: list[np.ndarray]) -> list[np.ndarray]:
        return [coverage_curve(audience.chosen(rows), audience, radii) for rows in choices]

    low, high = np.quantile(np.stack(curves(draws)), [0.025, 0.975], axis=0)
    columns = dict(zip(chosen, curves([*chosen.values()]), strict=True))
    return pd.DataFrame({"radius": radii, **columns, "random_low": low, "random_high": high})
