from __future__ import annotations

import warnings

import pytest

from borderline.pipelines.repair.comparison import compare_arms
from borderline.pipelines.repair.figures import draw_repair
from borderline.pipelines.repair.outcomes import score
from repairs import compared, fresh_of

ARMS = ("again", "boundary", "soft")


@pytest.mark.parametrize(("arms", "patterns"), [(ARMS, 1), (ARMS[:2], 0)])
def test_a_panel_for_each_known_measure_has_a_dot_for_each_training(
    arms: tuple[str, ...], patterns: int
) -> None:
    wrong = {arm: [range(5 + i), range(6)] for i, arm in enumerate(arms)}
    fresh = fresh_of([0] * 10 * patterns)
    outcomes, scored = compared(
        wrong, images=20, fresh=fresh, near=[0] * patterns, patterns=patterns
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = draw_repair(score(outcomes, scored), compare_arms(outcomes, scored))
    panels = [axes for axes in figure.axes if axes.axison]
    assert len(panels) == 4 + 2 * patterns
    assert panels[0].get_title() == "error, 20 images\nmain outcome, lower is better"
    # In each arm the trainings, the interval and the mean; and the model as it is.
    assert len(panels[0].lines) == 1 + 3 * len(arms)
    assert [len(line.get_xdata()) for line in panels[0].lines[1:4]] == [2, 2, 1]
    assert panels[0].get_xlim()[0] > -0.1
