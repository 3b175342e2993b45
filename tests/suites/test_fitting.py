from __future__ import annotations

import pytest

from borderline.errors import BorderlineError
from borderline.measures.class_names import ClassNames
from borderline.suites.fitting import check_fits
from frozen import suite


def test_suite_must_be_of_the_classes_and_the_shape_of_the_run() -> None:
    check_fits(suite(), "s", ClassNames("1", "7"), (1, 8, 8))
    with pytest.raises(BorderlineError, match="'7' as the positive class"):
        check_fits(suite(), "s", ClassNames("7", "1"), (1, 8, 8))
    with pytest.raises(BorderlineError, match=r"of the shape \(1, 8, 8\)"):
        check_fits(suite(), "s", ClassNames("1", "7"), (3, 8, 8))
