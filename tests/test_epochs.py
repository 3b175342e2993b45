"""The checks before a run of what measures every epoch."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline

from borderline import grid
from borderline.datasets.checkpoints import Checkpoint, epoch_name
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.fingerprints import NOISE_DIGEST
from borderline.grid import GIVEN_STEP_1
from borderline.params import merged
from borderline.pipelines.gasten.noise_file import NOISE_FILE
from borderline.pipelines.gasten.pipeline import create_pipeline
from borderline.pipelines.metrics.pipeline import create_pipeline as create_metrics
from borderline.preflight.checkpoints import _check_scores, check_given_step_1
from borderline.preflight.configuration import Parameters
from borderline.preflight.epochs import check_images, with_noise_file
from borderline.preflight.reading import read_parameters
from conftest import base_settings

ALL = ["lenet", "classifier", "inception"]
MANY = {"images": 8000, "test_noise": 3000}
STOP = {"patience": 1, "metric": "fid"}


def parameters(**groups: dict[str, Any]) -> Parameters:
    raw = {n: v for n, v in base_settings().items() if n != "preset"}
    pair = {"pair": {"positive": "a", "negative": "b"}, "metrics": {"sample_size": 3000}}
    return read_parameters(merged(merged(raw, pair), groups))


def measured_by(*judges: str, **settings: object) -> dict[str, Any]:
    return {"metrics": {"epoch_judges": judges, **settings}, "generation": MANY}


@pytest.mark.parametrize(
    "groups",
    [
        {},
        {"generation": {"test_noise": 1}},
        measured_by(*ALL) | {"gan": {"early_stopping": STOP}},
        measured_by("lenet", "classifier", front="fd_classifier"),
        measured_by("lenet", "inception") | {"generators": {"gasten_10": {"start": "best_fid"}}},
    ],
)
def test_settings_that_fit(groups: dict[str, Any]) -> None:
    assert parameters(**groups)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ({"gan": {"early_stopping": STOP}}, r"gan.early_stopping needs fid.*add 'inception'"),
        (
            {"gan": {"early_stopping": STOP | {"metric": "fd_classifier"}}},
            "metric is 'fd_classifier', but step 1 has no model under test.*'fid'",
        ),
        (
            measured_by(*ALL)
            | {
                "gan": {
                    "early_stopping": STOP
                    | {"once_settled": {"metric": "fd_classifier", "patience": 1}}
                }
            },
            "once_settled.metric is 'fd_classifier', but step 1 has no model",
        ),
        (
            {"generators": {"gasten_10": {"early_stopping": STOP | {"metric": "fd_classifier"}}}},
            r"generators.gasten_10 \(early.*needs fd_classifier .*\['lenet'\]: add 'classifier'",
        ),
        ({"generators": {"latent_search": {"start": ["best_fid"]}}}, "search.*needs fid"),
        ({"metrics": {"front": "fid"}}, "metrics.front needs fid"),
        (
            measured_by(*ALL, front="fid"),
            "metrics.front is 'fid', but grid.judges is .*inception",
        ),
        ({"metrics": {"epoch_judges": ALL}}, "2048 features, but there are 2048 latent vectors"),
        ({"metrics": {"epoch_judges": ["classifier"]}}, "epoch_judges.*must name 'lenet'"),
    ],
)
def test_settings_that_do_not_fit(groups: dict[str, Any], words: str) -> None:
    with pytest.raises(BorderlineError, match=words):
        parameters(**groups)


@pytest.mark.parametrize(
    ("groups", "classes", "words"),
    [
        (measured_by("lenet", "inception"), 0, "2048 features, but there are 20 real"),
        (measured_by("lenet", "classifier"), 0, "'classifier'.* 36 features, .* 20 real"),
        (measured_by("lenet", "classifier", epoch_reference="all"), 40, ""),
    ],
)
def test_real_images_must_be_more_than_features(
    groups: dict[str, Any], classes: int, words: str
) -> None:
    train = {"images": torch.zeros(1, 1, 12, 12), "labels": torch.zeros(classes)}
    source = SourceImages("few", ("a", "b"), train, None)  # type: ignore[arg-type]
    if not words:
        check_images(source, parameters(**groups), 20)
        return
    with pytest.raises(BorderlineError, match=words):
        check_images(source, parameters(**groups), 20)


def noise_of(number: int) -> DataCatalog:
    file = io.BytesIO()
    np.save(file, np.ones((number, 64)))
    return DataCatalog({NOISE_FILE: MemoryDataset(file.getvalue())})


def test_number_of_vectors_in_a_noise_file_is_that_of_the_checks() -> None:
    stop = {"early_stopping": {"metric": "fd_lenet", "patience": 1}}
    given = parameters(generation={"noise_file": "z.npy", "test_noise": 1}, gan=stop)
    counted, digests = with_noise_file(given, noise_of(65))
    assert counted.generation.test_noise == 65
    assert digests[NOISE_FILE] != with_noise_file(given, noise_of(66))[1][NOISE_FILE]
    for number, words in (
        (64, "vectors in generation.noise_file is 64, but fd_lenet.* 64 features"),
        (3001, r"metrics.sample_size is 3000.*generation.noise_file 3001"),
    ):
        with pytest.raises(BorderlineError, match=words):
            with_noise_file(given, noise_of(number))
    assert with_noise_file(parameters(), DataCatalog()) == (parameters(), {})


@pytest.mark.parametrize(
    ("name", "judges", "missing"),
    [
        ("gan.checkpoints_so_far", ("lenet", "classifier"), ""),
        ("gan.checkpoints_so_far", ("lenet", "inception"), "without its fid"),
        ("m.g.checkpoints_so_far", ("lenet", "classifier"), "without its fd_classifier"),
        ("m.g.checkpoints_so_far", ("lenet",), ""),
    ],
)
def test_checkpoints_of_fewer_judges_are_refused(
    name: str, judges: tuple[grid.Judge, ...], missing: str
) -> None:
    made: Checkpoint = {"epoch": 1, "settings": {}, "history": [{"epoch": 1}], "state": {}}
    layout = grid.Layout(epoch_judges=judges)
    if not missing:
        _check_scores(made, name, epoch_name(1), layout)
        return
    with pytest.raises(BorderlineError, match=missing):
        _check_scores(made, name, epoch_name(1), layout)


def inputs_of(monkeypatch: pytest.MonkeyPatch, **layout: Any) -> dict[str, set[str]]:
    given = parameters()
    laid = grid.lay_out(given.grid, given.generators, trains_gan=True)
    monkeypatch.setattr(grid, "_current", replace(laid, **layout))
    nodes: Pipeline = create_pipeline() + create_metrics()
    return {node.name: set(node.inputs) for node in nodes.nodes}


def test_trainings_take_what_their_judges_need_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    usual = inputs_of(monkeypatch)
    reference, noise = "params:metrics.epoch_reference", "params:generation.noise_file"
    assert not any({"inception", "real_statistics", reference} & taken for taken in usual.values())
    inputs = inputs_of(
        monkeypatch,
        judges=("lenet", "inception"),
        epoch_judges=tuple(ALL),
        epoch_reference="all",
        front="fd_classifier",
        noise_file=True,
    )
    step_1, step_2 = "gasten.gan.train_gan", "cnn_2.gasten.gasten_10.train_generator"
    more = {"inception", "real_statistics", reference, noise}
    assert inputs[step_1] - usual[step_1] == more
    assert inputs[step_2] - usual[step_2] == more | {"cnn_2.model_statistics"}
    assert NOISE_FILE in inputs["gasten.make_test_noise"]
    assert "real_statistics" in inputs["metrics.measure_held_out"]
    assert "real_statistics" in inputs["metrics.describe_real_images"]
    assert "cnn_2.model_statistics" in inputs["cnn_2.metrics.find_front"]
    assert set(inputs) - set(usual) == {
        *("gasten.describe_real_images", "cnn_2.gasten.describe_real_view")
    }


def test_fingerprint_has_the_digest_of_a_noise_file() -> None:
    from borderline.pipelines.gasten.epoch_scores import history_settings

    noise = torch.ones(2, 2)
    assert history_settings("pair", None, noise) == {}
    assert set(history_settings("all", "z.npy", noise)) == {NOISE_DIGEST, "metrics.epoch_reference"}


def test_best_epoch_of_a_given_step_1_needs_its_distance() -> None:
    history = [{"epoch": 1, "fd_lenet": 1.0}, {"epoch": 9, "fd_lenet": 1.0, "fid": 2.0}]
    made: Checkpoint = {
        "epoch": 1,
        "settings": {},
        "history": history,
        "state": {"image_shape": (1, 12, 12)},
    }
    catalog = DataCatalog(
        {GIVEN_STEP_1: MemoryDataset({"epoch_0001": lambda: made}, copy_mode="assign")}
    )
    settings = measured_by("lenet", "inception") | {"gan": {"epochs": 2}}
    settings["generators"] = {"gasten_10": {"start": "best_fid"}}
    about: Any = SimpleNamespace(step_1_checkpoints="x.pt")
    with pytest.raises(BorderlineError, match=r"gasten_10.start is 'best_fid'.*measured by fid"):
        check_given_step_1(catalog, parameters(**settings), about)
    settings["grid"] = {"generators": ["gasten_10"]}
    for start, words in ((["last", "best_fid"], "measured by fid"), ([0, 2], "choose one of 1, ")):
        settings["generators"] = {"gasten_10": {"start": start}}
        with pytest.raises(BorderlineError, match=f"start is {start[1]!r}, but .*{words}"):
            check_given_step_1(catalog, parameters(**settings), about)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"gan": {"early_stopping": {"metric": "x", "patience": 1}}}, "metric is 'x', but it must"),
        (
            {"generators": {"gasten_10": {"start": -1}}},
            "'last', 'best' or 'best_fid', or greater than or equal to 0, or a list:",
        ),
        (
            {"generators": {"gasten_10": {"early_stopping": {"metric": "x", "patience": 1}}}},
            "'fd_lenet', 'fd_classifier' or 'fid', or 'acd' or 'yield':",
        ),
        ({"search": {"start": [1]}}, r"search.start is \[1\], but it lacks a value:"),
        ({"search": {"term": []}}, r"search.term is \[\], but it must have at least 1 item:"),
    ],
)
def test_sentences_name_all_that_a_setting_may_be(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(BorderlineError, match=words):
        parameters(**settings)
