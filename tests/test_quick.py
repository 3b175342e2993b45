"""``kedro run --quick``: smaller settings, the same case, and folders of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from kedro.framework.session import KedroSession

from borderline.commands.run import quickly
from borderline.errors import BorderlineError
from borderline.params import Mark, RunParams
from borderline.preflight.configuration import Globals, Parameters
from borderline.preflight.reading import read_globals, read_parameters
from borderline.quick import lowered
from borderline.sweeps.plan import default_name
from conftest import ENVIRONMENTS, ROOT, loader_of, start_kedro


def test_repetitions_that_stay_keep_their_seeds() -> None:
    grid = {"runs": 3, "seeds": [4, 5, 6], "step_2_seeds": None}
    assert lowered({"grid": grid}, {"grid": {"runs": 2}})["grid"] == {
        "runs": 2,
        "seeds": [4, 5],
        "step_2_seeds": None,
    }
    # A wrong number of seeds stays wrong.
    wrong = {"grid": {"runs": 2, "seeds": [4, 5, 6]}}
    assert lowered(wrong, {"grid": {"runs": 1}})["grid"]["seeds"] == [4, 5, 6]


def test_a_limit_of_none_leaves_a_setting_out() -> None:
    limits = {"generator_kinds": {"latent_search": {"realism": None}}}
    entry = {"kind": "latent_search", "realism": {"by": "committee", "keep": 0.5}}
    settings = {"generators": {"a": entry, "b": {**entry, "realism": None}}}
    low = lowered(settings, limits)["generators"]
    assert [low[name]["realism"] for name in "ab"] == [None, None]


def parameters_of(conf: Path, environment: str, **changed: Any) -> Parameters:
    return read_parameters(loader_of(conf, environment, **changed)["parameters"])


def test_limits_lower_and_never_raise() -> None:
    settings = {
        "gan": {"epochs": 50, "steps": None, "filters": 8, "preset": "paper", "on": True, "a": {}},
        "generators": {
            "one": {"kind": "gasten", "epochs": 9, "start": [2, 8, 9]},
            "two": {"kind": "gasten", "start": "best"},
            "three": {"kind": "imported", "epochs": 9},
            "four": 3,
        },
        "generator_kinds": {"gasten": {"epochs": 10, "start": "last"}},
        "judge": {"kind": "lenet", "epochs": 9},
        "models": {"a": {"kind": "cnn", "epochs": 30}, "b": {"kind": "cnn", "epochs": None}},
        "model_kinds": {"cnn": {"epochs": None}},
    }
    limits = {
        "gan": {"epochs": 3, "steps": 100, "filters": 24, "preset": "fast", "on": 1},
        "generator_kinds": {"gasten": {"epochs": 2, "start": 3}},
        "judge_kinds": {"lenet": {"epochs": 2}},
        "model_kinds": {"cnn": {"epochs": 10}},
    }
    assert lowered(settings, limits) == {
        "gan": {"epochs": 3, "steps": 100, "filters": 8, "preset": "fast", "on": True, "a": {}},
        "generators": {
            "one": {"kind": "gasten", "epochs": 2, "start": [2, 3]},
            "two": {"kind": "gasten", "start": "best"},
            "three": {"kind": "imported", "epochs": 9},
            "four": 3,
        },
        "generator_kinds": {"gasten": {"epochs": 2, "start": "last"}},
        "judge": {"kind": "lenet", "epochs": 2},
        "judge_kinds": {"lenet": {"epochs": 2}},
        # None means the epochs of `classifier`, which have their own limit.
        "models": {"a": {"kind": "cnn", "epochs": 10}, "b": {"kind": "cnn", "epochs": None}},
        "model_kinds": {"cnn": {"epochs": None}},
    }


@pytest.mark.parametrize("environment", ["mnist_7v1", "fashion_5v7", "test"])
def test_every_environment_has_a_quick_run_of_the_same_case(environment: str) -> None:
    assert environment in ENVIRONMENTS
    full = parameters_of(ROOT / "conf", environment)
    quick = parameters_of(ROOT / "conf", environment, run={"quick": True})
    assert quick.run.quick
    assert not full.run.quick
    assert (quick.pair, quick.models) == (full.pair, full.models)
    assert quick.grid == full.grid.model_copy(update={"runs": 1})
    assert quick.gan.epochs <= 5
    assert quick.gan.filters == min(full.gan.filters, 24)
    assert quick.generation.images == min(full.generation.images, 2100)
    for name in full.grid.generators:
        epochs = getattr(full.generators[name], "epochs", 0)
        assert getattr(quick.generators[name], "epochs", 0) == min(epochs, 2)


def test_a_quick_sweep_has_its_own_folder() -> None:
    quick = parameters_of(ROOT / "conf", "test", run={"quick": True})
    assert default_name("test", quick) == "test_quick"
    full = quick.model_copy(update={"run": quick.run.model_copy(update={"quick": False})})
    assert default_name("test", full) == "test"


def test_params_precede_the_limits() -> None:
    changed: dict[str, Any] = {"gan": {"epochs": 7}, "run": {"quick": True}}
    assert parameters_of(ROOT / "conf", "mnist_7v1", **changed).gan.epochs == 7
    with pytest.raises(BorderlineError, match=r"run\.quick is 1, but it must be a valid boolean"):
        parameters_of(ROOT / "conf", "mnist_7v1", run={"quick": 1})


def test_step_1_from_elsewhere_keeps_its_settings(project: Path) -> None:
    path = project / "conf/test/globals.yml"
    path.write_text("data_folder: data/test\nstep_1_checkpoints: given")
    parameters = project / "conf/test/parameters.yml"
    values = yaml.safe_load(parameters.read_text())
    values["gan"] |= {"epochs": 30, "filters": 48}
    parameters.write_text(yaml.safe_dump(values))
    gan = parameters_of(project / "conf", "test", run={"quick": True}).gan
    assert (gan.epochs, gan.filters) == (30, 48)


@pytest.mark.parametrize(("quick", "case"), [(True, "sample_quick_7v1"), (False, "sample_7v1")])
def test_results_have_their_own_folders(project: Path, quick: bool, case: str) -> None:
    start_kedro()
    changed = {"run": {"quick": quick}}
    with KedroSession.create(project, env="test", runtime_params=changed) as session:
        context = session.load_context()
    catalog = context.config_loader["catalog"]
    paths = [
        str(entry.get("path") or entry.get("filepath") or "")
        for name, entry in catalog.items()
        if name != "source" and not name.startswith("other_run.")
    ]
    filed = [path for path in paths if "mnist_sample" in path]
    assert len(filed) > 40
    assert all(f"/mnist_{case}/" in f"{path}/" for path in filed)
    assert catalog["source"]["kind"] == "mnist_sample"


def test_results_do_not_depend_on_the_mark_but_on_the_settings() -> None:
    run = RunParams(seed=0, device="cpu")
    quick = run.model_copy(update={"quick": True})
    assert quick.plain(Mark.NO_RESULT) == run.plain(Mark.NO_RESULT)
    assert quick.fingerprint("run") == run.fingerprint("run")


def test_name_of_the_images_of_a_quick_run_is_taken() -> None:
    raw = yaml.safe_load((ROOT / "conf/base/globals.yml").read_text())
    assert isinstance(read_globals(raw), Globals)
    with pytest.raises(BorderlineError, match="dataset is 'mine_quick', but names that end in"):
        read_globals(raw | {"dataset": "mine_quick"})


def test_option_sets_the_setting() -> None:
    command = quickly(lambda params: params)
    assert command(quick=True, params={"run": {"seed": 3}}) == {"run": {"seed": 3, "quick": True}}
    assert command(quick=False, params={"run": {"seed": 3}}) == {"run": {"seed": 3}}


def test_short_name_of_the_setting_in_params() -> None:
    command = quickly(lambda params: params)
    expected = {"pair": {"positive": "a"}, "run": {"quick": True}}
    assert command(quick=False, params={"quick": True, "pair": {"positive": "a"}}) == expected
    assert command(quick=False, params={"quick": 3}) == {"quick": 3}
