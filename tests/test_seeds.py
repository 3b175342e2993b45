from __future__ import annotations

import pytest
from pydantic import ValidationError

from borderline.errors import BorderlineError
from borderline.fingerprints import STEP_2_SEED
from borderline.grid import Grid, Layout, lay_out, seeds
from borderline.params import GeneratorParams, RunParams
from borderline.pipelines.gasten.params import seed_settings
from borderline.seeds import run_of

RUN = RunParams(seed=5, device="cpu")
DERIVED = RUN.seed_for("repetition", 2)


def grid(**lists: object) -> Grid:
    return Grid.model_validate(
        {"models": ("m",), "generators": ("g",), "runs": 2, "judges": ("lenet",)} | lists
    )


@pytest.mark.parametrize(
    ("lists", "step_1", "step_2"),
    [
        ({}, [5, DERIVED], [5, DERIVED]),
        ({"seeds": (0, 7)}, [0, 7], [0, 7]),
        ({"step_2_seeds": (3, 3)}, [5, DERIVED], [3, 3]),
        ({"seeds": (0, 7), "step_2_seeds": (8, 9)}, [0, 7], [8, 9]),
    ],
)
def test_each_step_has_the_seeds_of_its_list(
    lists: dict[str, object], step_1: list[int], step_2: list[int]
) -> None:
    settings = seeds(grid(**lists), RUN)
    for seeds_of_step, is_step_2 in ((step_1, False), (step_2, True)):
        names = [run_of(settings, n, step_2=is_step_2) for n in (1, 2)]
        assert [settings[n].seed if n else RUN.seed for n in names] == seeds_of_step
    layout = lay_out(grid(**lists), {"g": GeneratorParams(kind="k")}, trains_gan=True)
    assert list(layout.generators) == ["g", "g_run_2"]
    assert set(layout.seeded) == set(settings)


def test_only_a_seed_that_is_not_the_usual_one_enters_the_fingerprint_of_step_2() -> None:
    settings = seeds(grid(seeds=(5, DERIVED), step_2_seeds=(5, 6)), RUN)
    assert {name: seed_settings(run) for name, run in settings.items()} == {
        "run_1": {},
        "run_2": {},
        "step_2_run_1": {},
        "step_2_run_2": {STEP_2_SEED: 6},
    }
    assert not seed_settings(RUN)


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ({"seeds": (0,)}, "seeds has 1 seeds, but runs is 2.*set runs to 1"),
        ({"step_2_seeds": (0, 1, 2)}, "step_2_seeds has 3 seeds"),
        ({"seeds": ()}, "at least 1 item"),
        ({"seeds": (4, 4)}, "nothing twice"),
        ({"seeds": (0, -1)}, "greater than or equal to 0"),
    ],
)
def test_lists_that_cannot_be(lists: dict[str, object], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        grid(**lists)


def test_repetitions_of_one_seed_need_a_training_of_step_1() -> None:
    one = {"g": GeneratorParams(kind="k")}
    assert isinstance(lay_out(grid(step_2_seeds=(1, 1)), one, trains_gan=True), Layout)
    with pytest.raises(BorderlineError, match=r"grid.step_2_seeds is \[1, 1\].*are the same"):
        lay_out(grid(step_2_seeds=(1, 1)), one, trains_gan=False)
