from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from borderline.boundary import ConfusionParams
from borderline.errors import BorderlineError, causes
from borderline.params import CallParams, Mark, PairParams, Params, RunParams, earlier, flat, merged
from conftest import metrics_params


def test_seeds_differ_by_purpose_and_by_seed(run: RunParams) -> None:
    other = RunParams(seed=1, device="cpu")
    seeds = {run.seed_for("a"), run.seed_for("b"), run.seed_for("a", 1), other.seed_for("a")}
    assert len(seeds) == 4
    assert run.seed_for("a") == RunParams(seed=0, device="auto").seed_for("a")


def test_generators_of_one_purpose_draw_the_same(run: RunParams) -> None:
    one, other = (torch.randn(5, generator=run.generator("x")) for _ in range(2))
    assert torch.equal(one, other)


def test_global_seed_repeats_and_leaves_no_trace(run: RunParams) -> None:
    torch.manual_seed(3)
    np.random.seed(3)
    expected = (torch.rand(1).item(), np.random.rand())
    torch.manual_seed(3)
    np.random.seed(3)
    draws = []
    for _ in range(2):
        with run.global_seed("weights"):
            draws.append((torch.rand(1).item(), np.random.rand()))
    assert draws[0] == draws[1] != expected
    assert (torch.rand(1).item(), np.random.rand()) == expected


def test_auto_is_a_device_that_is_there(run: RunParams) -> None:
    device = RunParams(seed=0, device="auto").torch_device()
    assert torch.zeros(1, device=device).item() == 0
    if not torch.cuda.is_available():
        with pytest.raises(BorderlineError, match=r"run\.device is 'cuda'"):
            RunParams(seed=0, device="cuda").torch_device()


def test_params_are_frozen_and_closed(pair: PairParams) -> None:
    with pytest.raises(ValidationError):
        pair.positive = 3  # type: ignore[misc]
    with pytest.raises(ValidationError):
        ConfusionParams(band=0.1, width=2)  # type: ignore[call-arg]


def test_fingerprint_leaves_out_device(run: RunParams, pair: PairParams) -> None:
    assert run.fingerprint("run") == {"run.seed": 0}
    assert pair.fingerprint("pair") == {
        "pair.positive": 7,
        "pair.negative": 1,
        "pair.test_share": 0.2,
    }


class Inner(Params):
    path: Annotated[str | None, Mark.NO_RESULT]
    sizes: tuple[int, ...]


class Outer(Params):
    epochs: Annotated[int, Mark.CONTINUES]
    inner: Inner
    named: dict[str, Inner]


def test_marks_take_settings_out_at_any_depth() -> None:
    inner = Inner(path="a", sizes=(1, 2))
    outer = Outer(epochs=3, inner=inner, named={"b": inner})
    assert outer.plain() == outer.model_dump(mode="json")
    sizes = {"sizes": [1, 2]}
    assert outer.plain(Mark.NO_RESULT) == {"epochs": 3, "inner": sizes, "named": {"b": sizes}}
    assert Outer.marked(Mark.NO_RESULT, Mark.CONTINUES) == {"epochs"}
    assert outer.fingerprint("o") == {"o.inner.sizes": "[1, 2]", "o.named.b.sizes": "[1, 2]"}


def test_runs_of_earlier_versions_had_the_default_of_a_field() -> None:
    metrics = metrics_params(sample_size=50, fewest_images=10, neighbours=3)
    values = {"metrics": metrics, "runs": {"run_2": RunParams(seed=1, device="cpu")}}
    assert dict(earlier(values)) == {
        "metrics.epoch_judges": ["lenet"],
        "metrics.epoch_reference": "pair",
        "metrics.front": "fd_lenet",
        "runs.run_2.quick": False,
    }


def test_merged_settings_replace_single_values() -> None:
    base = {"gan": {"epochs": 1, "rule": None, "sizes": [1]}, "run": {"seed": 0}}
    above = {"gan": {"rule": {"patience": 2}, "sizes": [2, 3]}, "run": None}
    assert merged(base, above) == {
        "gan": {"epochs": 1, "rule": {"patience": 2}, "sizes": [2, 3]},
        "run": None,
    }


def test_settings_are_read_without_heavy_libraries() -> None:
    modules = ("params", "ledger", "grid", "imported.params", "config_loader")
    code = "".join(f"import borderline.{module}\n" for module in modules)
    heavy = "{'torch', 'numpy', 'pandas', 'sklearn', 'scipy', 'matplotlib'}"
    code += f"import sys; assert not {heavy} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_causes_follow_both_kinds_of_link() -> None:
    top, middle = TypeError("top"), ValueError("middle")
    middle.__cause__ = KeyError("root")
    top.__context__ = middle
    assert [type(cause) for cause in causes(top)] == [TypeError, ValueError, KeyError]


@pytest.mark.parametrize(
    ("call", "command"),
    [
        (CallParams(), "kedro run"),
        (CallParams(environment="mnist_7v1"), "kedro run --env mnist_7v1"),
        (
            CallParams(changed={"gan.epochs": 3, "gan.steps_per_epoch": None, "grid.x": True}),
            "kedro run --params gan.epochs=3,gan.steps_per_epoch=null,grid.x=true",
        ),
        (CallParams(changed={"a": "b c"}), "kedro run --params 'a=b c'"),
        (
            CallParams(changed={"pair.positive": "\u00dcber\\x"}),
            "kedro run --params 'pair.positive=\u00dcber\\x'",
        ),
        (
            CallParams(changed={"run.quick": True, "pair.positive": "t-shirt/top"}),
            "kedro run --quick --params pair.positive=t-shirt/top",
        ),
    ],
)
def test_command_says_how_the_run_was_called(call: CallParams, command: str) -> None:
    assert call.command() == command


def test_nested_settings_have_dotted_names() -> None:
    nested = {"gan": {"epochs": 3, "early": {"metric": "fd"}}, "seed": 0}
    assert dict(flat(nested)) == {"gan.epochs": 3, "gan.early.metric": "fd", "seed": 0}
