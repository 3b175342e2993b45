"""The baseline of Gomes et al. 2024: random borderline images of the real test set."""

from __future__ import annotations

import torch

from borderline.boundary import Boundary
from borderline.measures.confusion import is_borderline
from borderline.params import RunParams
from borderline.records import LabelledImages, Places, RealBorderline, RealView, take_rows


def choose_real_borderline(
    test: LabelledImages,
    view: RealView,
    places: Places,
    boundary: Boundary,
    count: int,
    run: RunParams,
) -> RealBorderline:
    """Random real test images in the band, at most ``count`` of them, in the order of their rows.

    Those that the 2D maps show come first: these are random images too.
    """
    rows = is_borderline(view["test_p"], boundary).nonzero()[:, 0]
    rows = rows[torch.randperm(len(rows), generator=run.generator("real borderline images"))]
    shown = torch.isin(rows, places["test_shown"])
    rows = torch.cat([rows[shown], rows[~shown]])[:count].sort().values
    return {**take_rows(test, rows), "probabilities": view["test_p"][rows], "rows": rows}
