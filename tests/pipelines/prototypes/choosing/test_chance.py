from __future__ import annotations

import math

import numpy as np

from borderline.pipelines.prototypes.choosing.chance import Draws


def test_p_value_counts_the_draws_that_are_as_good() -> None:
    draws = Draws({"precision": np.array([0.1, 0.2, 0.3, 0.4]), "cosine_similarity": np.ones(4)})
    assert draws.p_value("precision", 0.3) == (1 + 2) / 5
    assert draws.p_value("precision", 0.5) == 1 / 5
    assert draws.p_value("cosine_similarity", 0.9) == 1 / 5, "lower is better"
    assert draws.p_value("cosine_similarity", 1 + 1e-15) == 1
    assert draws.p_value("precision", 0.3, worse=True) == (1 + 3) / 5
    assert draws.p_value("cosine_similarity", 1.0, worse=True) == 1, "ties are not worse"
    assert math.isnan(draws.p_value("precision", math.nan))
    assert math.isnan(draws.p_value("dispersion", 1.0))
