from __future__ import annotations

import numpy as np
import pandas as pd

from borderline.findings import NONE
from borderline.pipelines.report.views.validation import view_validation


def test_validation_has_a_cell_for_each_measure() -> None:
    table = pd.DataFrame(
        {
            "chosen_by": ["medoid", "medoid", "random"],
            "measure": ["coverage_area", "stability", "coverage_area"],
            "value": [0.5, np.nan, 0.4],
            "low": [0.4, np.nan, np.nan],
            "high": [0.6, np.nan, np.nan],
            "q_value": [0.01, np.nan, np.nan],
        }
    )
    view = view_validation(table)
    assert view["measures"] == ["coverage area", "stability"]
    medoid, random = (row["cells"] for row in view["rows"])
    assert medoid[0] == {"value": "0.500", "interval": "[0.400, 0.600]", "q": 0.01}
    assert medoid[1]["value"] == NONE
    assert random == [
        {"value": "0.400", "interval": "", "q": None},
        {"value": NONE, "interval": "", "q": None},
    ]
