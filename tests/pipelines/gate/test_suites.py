from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from pydantic import ValidationError
from torch import Tensor, nn

from borderline import grid
from borderline.boundary import Boundary
from borderline.datasets import CSVDataset, SuiteFolders, TensorDataset
from borderline.errors import BorderlineError, GateClosed
from borderline.grid import Grid, Layout
from borderline.hooks.closing import GateHooks
from borderline.params import RunParams
from borderline.pipelines.gate.limits import check, verdict
from borderline.pipelines.gate.nodes import check_limits, replay_suites
from borderline.pipelines.gate.params import GateParams
from borderline.pipelines.gate.pipeline import create_pipeline
from borderline.pipelines.gate.replay import replay_all
from borderline.pipelines.gate.suite_limits import check_replays
from borderline.pipelines.gate.suites import check_has_limit, doubts_about, suites_entry
from borderline.preflight.suites import check_findings_of_gate, check_suites
from borderline.suites.folder import files_of, write_suite
from borderline.suites.suite import About, Item, MadeWith, Suite, digests_of_images
from conftest import BOUNDARY, ROOT, findings_of

NAMES = {"source": "digits", "positive": "7", "negative": "1"}
DEFAULTS = yaml.safe_load((ROOT / "conf/base/parameters_gate.yml").read_text())["gate"]
SHAPE = (1, 2, 2)


class Ink(nn.Module):
    """A model whose logit grows with the first pixel."""

    def __init__(self, slope: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        self.slope, self.shift = slope, shift

    def forward(self, images: Tensor) -> Tensor:
        return self.slope * images[:, 0, 0, 0] + self.shift


def suite_of(
    model: nn.Module,
    pixels: list[float],
    labels: list[int | None],
    name: str = "old",
    threshold: float = 0.5,
    **about: Any,
) -> Suite:
    """Images of one pixel each with these labels (None: ambiguous), as a former model saw them."""
    images = torch.zeros(len(pixels), *SHAPE)
    images[:, 0, 0, 0] = torch.tensor(pixels)
    p = torch.sigmoid(model(images)).tolist()
    items = [
        Item(
            digest=digest,
            verdict="ambiguous" if label is None else "weakness",
            label=label,
            label_source=None if label is None else "committee",
            committee_p=None,
            pattern=None,
            words="",
            model=name,
            p=p,
            threshold=threshold,
            band=0.1,
            scale="probability",
        )
        for digest, label, p in zip(digests_of_images(images), labels, p, strict=True)
    ]
    made = MadeWith(
        model=name,
        borderline="0.1.0",
        generator="hybrid",
        recipe="",
        seed=0,
        settings="0" * 16,
        license=None,
        left_out={},
    )
    described = {"dataset": "x", "shape": SHAPE, "made_with": (made,), **NAMES, **about}
    return Suite(About(**described), tuple(items), images)


def gate(**changed: Any) -> GateParams:
    """The defaults with a suite and without limits of findings."""
    values = copy.deepcopy(DEFAULTS) | {"limits": None, "suites": ["s"]}
    for name, value in changed.items():
        measure, _, end = name.partition("__")
        if end:
            values["suite_limits"][measure][end] = value
        else:
            values[name] = value
    return GateParams.model_validate(values)


def replayed(model: nn.Module, suite: Suite, boundary: Boundary = BOUNDARY) -> pd.DataFrame:
    return replay_all(
        {"new": (model, boundary)}, {"s": suite}, confident=0.9, device=torch.device("cpu")
    )


def judged(model: nn.Module, suite: Suite, **changed: Any) -> pd.DataFrame:
    settings = gate(**changed)
    return check({}, settings, check_replays(replayed(model, suite), settings))


# The former model is right on the first two of four, and unsure of the others.
PIXELS, LABELS = [0.1, -0.1, 0.2, -0.2, 0.05, -0.05], [1, 0, 0, 1, None, None]
OLD = suite_of(Ink(), PIXELS, LABELS)


def test_model_passes_on_its_own_suite() -> None:
    rows = replayed(Ink(), OLD)
    assert rows[["measure", "images", "value", "former"]].to_numpy().tolist() == [
        ["weakness_accuracy", 4, 0.5, 0.5],
        ["ambiguous_confident", 2, 0, 0],
    ]
    assert rows["p_value"].tolist() == [1, 1]
    limits = {"weakness_accuracy__below_former": 0, "ambiguous_confident__above_former": 0}
    table = judged(Ink(), OLD, **limits)
    assert len(table) == 3
    assert verdict(table) == ""
    assert "is 50.0 %, equal to the 50.0 % of the former model old" in table["says"][0]


def test_worse_model_ends_the_run_with_status_3_and_says_why(tmp_path: Path) -> None:
    table = judged(Ink(-100), OLD, weakness_accuracy__below_former=0.1)
    # It is wrong where the former one is right, right elsewhere, and sure of everything.
    assert table["holds"].tolist() == [True, False]
    worst = suite_of(Ink(), PIXELS, [1, 0, 1, 0, None, None])
    saved = CSVDataset(
        filepath=str(tmp_path / "gate.csv"),
        load_args={"dtype": {"suite": str}},
        metadata={"borderline": {"gate": True}},
    )
    saved.save(judged(Ink(-100), worst))
    pipeline = Pipeline([Node(lambda: None, None, "gate_table", name="check")])
    with pytest.raises(GateClosed) as closed:
        GateHooks().after_pipeline_run(
            pipeline=pipeline, catalog=DataCatalog({"gate_table": saved})
        )
    assert closed.value.exit_status == 3
    assert str(closed.value) == (
        "The gate is closed, because 2 of 2 limits do not hold (new: accuracy on the 4 weakness "
        "images of s is 0.0 %, 100.0 points below the 100.0 % of the former model old (p = 0.125, "
        "McNemar's exact test), and the limit is 25.0 points below; new: share of the 2 ambiguous "
        "images of s that the model is confident of is 100.0 % [34.2 %, 100.0 %], and the limit is "
        "at most 50.0 %): read the patterns in README.md of the suite, or change "
        "gate.suite_limits."
    )


def test_images_on_which_one_of_both_models_fails_are_counted() -> None:
    right = suite_of(Ink(), [0.1, 0.2, 0.3, -0.1, 2.4, 0.1], [1, 1, 1, 1, None, None])
    rows = replayed(Ink(-1, 0.25), right)  # wrong on the third, and sure of no image
    assert rows[["worse", "better"]].to_numpy().tolist() == [[1, 1], [0, 1]]
    rows = replayed(Ink(-1), right)
    assert rows[["worse", "better"]].to_numpy().tolist() == [[3, 1], [0, 0]]


def test_interval_needs_a_significant_loss_and_the_whole_interval_in_the_limit() -> None:
    few, many = ([i / n / 5 for i in range(1, n + 1)] for n in (5, 6))
    for pixels, holds in ((few, True), (many, False)):
        # McNemar's p of 5 images is 0.0625, of 6 it is 0.031.
        table = judged(Ink(-1), suite_of(Ink(), pixels, [1] * len(pixels)), judged_by="interval")
        assert table["holds"][0] == holds
    for judged_by, holds in (("value", True), ("interval", False)):
        limits = {"weakness_accuracy__least": 0.95, "weakness_accuracy__below_former": None}
        right = suite_of(Ink(), many, [1] * 6)
        assert judged(Ink(), right, judged_by=judged_by, **limits)["holds"][0] == holds


def test_each_model_decides_at_its_own_threshold() -> None:
    # Beside a threshold of 0.2, p = 0.5 is positive, and its centred probability is 0.8.
    low: Boundary = {**BOUNDARY, "threshold": 0.2}
    suite = suite_of(Ink(), [0.0, -0.01, 1.0, 0.9], [1, 1, None, None])
    rows = replayed(Ink(), suite, low)
    assert rows["value"].tolist() == [1, 1]  # the centred probability of 0.71 is 0.91
    assert rows["former"].tolist() == [0, 0]
    lower = suite_of(Ink(), [0.0, -0.01, 1.0, 0.9], [1, 1, None, None], threshold=0.2)
    assert replayed(Ink(), lower)["former"].tolist() == [1, 1]
    assert replayed(Ink(), lower)["value"].tolist() == [0, 0]


def test_merged_suite_compares_with_the_former_model_of_each_image() -> None:
    other = suite_of(Ink(-1), [0.3, 0.4], [1, 1], name="other", threshold=0.3)
    images = torch.cat([OLD.images, other.images])
    merged = Suite(OLD.about, (*OLD.items, *other.items), images)
    row = replayed(Ink(), merged).iloc[0]
    # The other model has p of 0.43 and 0.40, above its threshold.
    assert (row["images"], row["value"], row["former"]) == (6, 4 / 6, 4 / 6)
    assert row["former_models"] == "old, other"
    assert "of the former models old, other (p" in judged(Ink(), merged)["says"][0]


def test_limit_does_not_apply_without_images_of_its_kind() -> None:
    table = judged(Ink(), suite_of(Ink(), [0.1], [1]), ambiguous_confident__above_former=0)
    assert table["holds"].tolist() == [True, True, True]
    assert table["says"][1] == "new: s has no ambiguous images, so this limit does not apply"


def test_difference_that_rounds_to_its_limit_is_told_from_it() -> None:
    suite = suite_of(Ink(), [0.01 * i for i in range(1, 8)], [1] * 7)
    pixels = suite.images[:, 0, 0, 0]
    worse = Ink(1, -float(pixels[:2].mean()) - 0.001)  # wrong on the first of 7
    says = judged(worse, suite, weakness_accuracy__below_former=0.1428)["says"][0]
    assert "is 85.7 %, 14.2857 points below" in says
    assert "the limit is 14.28 points below" in says
    # By floating-point numbers, 1 - 0.9 is less than 0.1, and 0.8 - 0.7 is more.
    ten = suite_of(Ink(), [0.01 * i for i in range(1, 11)], [1] * 8 + [0] * 2)
    assert judged(Ink(1, -0.015), ten, weakness_accuracy__below_former=0.1)["holds"][0]


def test_table_without_suites_is_as_before() -> None:
    settings = gate(suites=[], limits={"accuracy": {"least": 0.05}})
    grid_of_one = Grid(models=("a",), generators=(), runs=1, judges=("lenet",))
    found = {"a.findings": findings_of().model_dump(mode="json")}
    table = check_limits(grid=grid_of_one, gate=settings, **found)
    assert table.to_csv(index=False) == (
        "model,measure,value,low,high,least,most,holds,says\n"
        'a,accuracy,0.1,0.05,0.15000000000000002,0.05,,True,"a: accuracy is 10.0 % [5.0 %, 15.0 '
        '%], and the limit is at least 5.0 %"\n'
    )
    both = gate(limits={"accuracy": {"least": 0.05}})
    table = check_limits(replayed(Ink(), OLD), grid=grid_of_one, gate=both, **found)
    assert table["suite"].tolist() == ["", "s", "s"]
    assert "suite" not in verdict(table.assign(holds=[False, True, True]))
    assert verdict(table.assign(holds=False)).endswith(
        ": read the report and README.md of the suite, or change the limits of gate."
    )


@pytest.mark.parametrize("limits", [True, False])
def test_replay_takes_no_more_than_the_models(
    monkeypatch: pytest.MonkeyPatch, limits: bool
) -> None:
    monkeypatch.setattr(grid, "_current", Layout(models=("a", "b"), suites=True, limits=limits))
    inputs = {name for name in create_pipeline().inputs() if not name.startswith("params:")}
    models = {f"{model}.{name}" for model in "ab" for name in ("classifier", "boundary")}
    findings = {"a.findings", "b.findings"} if limits else set()
    assert inputs == {"gate_suites", "pair_names"} | models | findings
    monkeypatch.setattr(grid, "_current", Layout(models=("a", "b")))
    assert create_pipeline().inputs() == {
        *("a.findings", "b.findings", "params:gate", "params:grid")
    }


def test_node_replays_the_files_of_suites_and_refuses_another_pair() -> None:
    models = {"new.classifier": Ink(), "new.boundary": BOUNDARY}
    settings: Any = {
        "grid": Grid(models=("new",), generators=(), runs=1, judges=("lenet",)),
        "confident": 0.9,
        "run": RunParams(seed=0, device="cpu"),
    }
    files = {"s": files_of(OLD)}
    table = replay_suites(files, NAMES, **settings, **models)
    pd.testing.assert_frame_equal(table, replayed(Ink(), OLD))
    swapped = {**NAMES, "positive": "1", "negative": "7"}
    with pytest.raises(BorderlineError, match="'7' as the positive class"):
        replay_suites(files, swapped, **settings, **models)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"suites": []}, "limits must have at least one limit"),
        ({"suites": [], "limits": {"accuracy": None}}, "limits must have at least one limit"),
        ({"suites": ["s", "s"]}, "nothing twice"),
        ({"suites": [" "]}, "it is empty"),
        ({"weakness_accuracy__least": 1.1}, "less than or equal to 1"),
        ({"weakness_accuracy__below_former": -0.1}, "greater than or equal to 0"),
        (
            {"weakness_accuracy__below_former": None, "ambiguous_confident__most": None},
            "suite_limits must have at least one limit",
        ),
    ],
)
def test_settings_that_judge_nothing_are_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        gate(**changed)


def test_suite_that_no_limit_judges_is_refused() -> None:
    ambiguous = suite_of(Ink(), [0], [None])
    check_has_limit(ambiguous, "s", gate())
    with pytest.raises(BorderlineError, match="0 weakness images and 1 ambiguous ones, and gate"):
        check_has_limit(ambiguous, "s", gate(ambiguous_confident__most=None))


def test_suite_of_one_class_is_doubted() -> None:
    assert not list(doubts_about(OLD, "s", gate()))
    one = suite_of(Ink(), [i / 10 for i in range(10)], [1] * 10)
    (doubt,) = doubts_about(one, "s", gate())
    assert "10 are '7' and 0 are '1'" in doubt
    assert "decides for '7' too often" in doubt
    assert not list(doubts_about(suite_of(Ink(), [0], [None]), "s", gate()))


def test_suite_on_which_one_image_decides_is_doubted() -> None:
    few = suite_of(Ink(), [0.1, 0.2, -0.1], [1, 0, 0])
    (doubt,) = doubts_about(few, "s", gate())
    assert "so few weakness images (3)" in doubt
    assert "below_former, 0.25" in doubt
    assert not list(doubts_about(few, "s", gate(judged_by="interval")))
    assert not list(doubts_about(few, "s", gate(weakness_accuracy__below_former=0)))


@pytest.fixture
def run(tmp_path: Path) -> tuple[Pipeline, DataCatalog, Any, Path]:
    """The gate of a finished run with a suite: nodes, datasets, settings, folder of the suite."""
    folder = tmp_path / "v1"
    write_suite(OLD, str(folder))
    test = TensorDataset(filepath=str(tmp_path / "test.safetensors"))
    test.save({"images": OLD.images, "labels": torch.zeros(len(OLD.images))})
    entry = suites_entry(gate(suites=["v1"]), tmp_path)["gate_suites"]
    assert entry["type"] == "borderline.datasets.SuiteFolders"
    catalog = DataCatalog(
        {
            "gate_suites": SuiteFolders(paths=entry["paths"]),
            "pair_names": MemoryDataset(NAMES),
            "pair_test": test,
        }
    )
    node = Node(lambda suites, findings: 1, ["gate_suites", "a.findings"], "x", name="gate")

    class Settings:
        gate = globals()["gate"]()

    return Pipeline([node]), catalog, Settings(), folder


def test_suite_with_a_changed_byte_is_refused_before_the_run(run: Any) -> None:
    pipeline, catalog, settings, folder = run
    check_suites(pipeline, catalog, settings, None)
    file = folder / "images.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(BorderlineError, match=r"gate\.suites: The file images\.\w+ of the suite"):
        check_suites(pipeline, catalog, settings, None)
    check_suites(Pipeline([]), catalog, settings, None)


def test_suite_is_compared_with_the_images_of_the_last_run(run: Any) -> None:
    pipeline, catalog, settings, _ = run
    catalog.get("pair_test").save({"images": torch.zeros(1, 3, 2, 2), "labels": torch.zeros(1)})
    with pytest.raises(BorderlineError, match=r"this run has images of the shape \(3, 2, 2\)"):
        check_suites(pipeline, catalog, settings, None)
    file = Path(catalog.get("pair_test")._filepath)
    file.write_bytes(b"damaged")
    with pytest.raises(BorderlineError, match=r"test\.safetensors is damaged"):
        check_suites(pipeline, catalog, settings, None)
    file.unlink()
    with pytest.raises(BorderlineError, match=r"test\.safetensors is missing"):
        check_suites(pipeline, catalog, settings, None)


def test_replay_without_findings_names_the_setting_that_helps(run: Any) -> None:
    pipeline, catalog, *_ = run
    with pytest.raises(BorderlineError, match=r"limits of the findings about a, .*limits=null"):
        check_findings_of_gate(pipeline, catalog)
    catalog["a.findings"] = MemoryDataset({})
    check_findings_of_gate(pipeline, catalog)
    trained = Node(lambda: 1, None, "a.classifier", name="train")
    with pytest.raises(BorderlineError, match="not about the model of this run"):
        check_findings_of_gate(pipeline + Pipeline([trained]), catalog)
