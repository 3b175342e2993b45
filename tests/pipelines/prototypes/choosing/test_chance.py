from __future__ import annotations

import math

import numpy as np
import pandas as pd

from borderline.pipelines.prototypes.choosing.chance import p_value


def test_p_value_counts_the_draws_that_are_as_good() -> None:
    draws = pd.DataFrame({"precision": [0.1, 0.2, 0.3, 0.4], "cosine_similarity": np.ones(4)})
    assert p_value(draws, "precision", 0.3) == (1 + 2) / 5
    assert p_value(draws, "precision", 0.5) == 1 / 5
    assert p_value(draws, "cosine_similarity", 0.9) == 1 / 5, "lower is better"
    assert p_value(draws, "cosine_similarity", 1 + 1e-15) == 1
    assert p_value(draws, "precision", 0.3, worse=True) == (1 + 3) / 5
    assert p_value(draws, "cosine_similarity", 1.0, worse=True) == 1, "ties are not worse"
    assert math.isnan(p_value(draws, "precision", math.nan))
    assert math.isnan(p_value(draws, "dispersion", 1.0))
