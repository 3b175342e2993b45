"""Groups before a run: what stops it, and what the log says."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from borderline.commands.own_options import in_options
from borderline.datasets.groups import Groups
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.preflight.configuration import Parameters
from borderline.preflight.groups import warn_of_images
from borderline.preflight.inputs import check_source, digest_of_images
from borderline.preflight.reading import read_globals, read_parameters
from borderline.records import LabelledImages
from conftest import ROOT, loader_of


@pytest.fixture(scope="module")
def parameters() -> Parameters:
    changed = {"metrics": {"neighbours": 3}}
    return read_parameters(loader_of(ROOT / "conf", "test", **changed)["parameters"])


def images(groups: np.ndarray | None, first: int = 0, count: int = 120) -> LabelledImages:
    """Different images of the classes 1 and 7 in turn."""
    pixels = torch.arange(first, first + count).float().view(-1, 1, 1, 1).expand(-1, 1, 8, 8)
    labels = torch.tensor([1, 7]).repeat(count // 2)
    record: LabelledImages = {"images": pixels, "labels": labels}
    if groups is not None:
        record["groups"] = torch.from_numpy(groups)
    return record


def source(train: LabelledImages, test: LabelledImages | None = None) -> SourceImages:
    groups = Groups("patient", tuple(f"00{i}" for i in range(120))) if "groups" in train else None
    return SourceImages("scans", tuple("0123456789"), train, test, groups=groups)


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (
            np.zeros(120, int),
            "class 7 of scans cannot be both in training and in test: .* in 1 group, ",
        ),
        (np.arange(120) % 2, "class 7 of .* training and in test: .* in 1 group, .*test_share"),
        # Two groups give test images, but one group is left for training and validation.
        (np.arange(120) // 60, "in training and in validation: .* classifier.validation_share"),
    ],
)
def test_groups_that_leave_a_class_out_of_a_split_stop_the_run(
    parameters: Parameters, groups: np.ndarray, words: str
) -> None:
    with pytest.raises(BorderlineError, match=f"group_column is 'patient', but .*{words}"):
        check_source(source(images(groups)), parameters)


def test_shares_that_groups_cannot_give_are_logged(
    parameters: Parameters, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for groups in (None, np.arange(120) // 6):
        check_source(source(images(groups)), parameters)
        warn_of_images(source(images(groups)), parameters)
    said = [r.message for r in caplog.records]
    assert not [words for words in said if "pair.test_share" in words]
    caplog.clear()
    large = source(images(np.arange(120) // 40))
    check_source(large, parameters)
    warn_of_images(large, parameters)
    assert caplog.records[0].message == (
        "pair.test_share is 0.2, but whole groups of patient give a share of 0.333: 40 of 120 "
        "images are test images"
    )


def test_leaks_of_a_given_split_are_logged_with_an_example(
    parameters: Parameters, caplog: pytest.LogCaptureFixture
) -> None:
    train, test = images(np.arange(120) // 4), images(np.arange(29, 69), first=119, count=40)
    warn_of_images(source(train, test), parameters)
    test["labels"][0] = 7
    messages = " ".join(record.message for record in caplog.records)
    assert "scans: 1 group has images in training and in test (for example '0029')" in messages
    assert "The pixels of 1 of 40 test images are exactly those of a training image" in messages
    assert "images 119 and 120" in messages


def test_other_groups_are_other_images() -> None:
    digests = {digest_of_images(source(images(g))) for g in (None, np.arange(120), np.zeros(120))}
    assert len(digests) == 3


def test_kind_without_columns_cannot_have_groups() -> None:
    raw = loader_of(ROOT / "conf", "test")["globals"]
    raw["source"] = {"kind": "mnist_sample", "group_column": "patient"}
    words = "group_column is for table and image_folder and arrays and hugging_face: remove it"
    with pytest.raises(BorderlineError, match=words):
        read_globals(raw)
    sentence = "source.group_column is 'a', but"
    assert in_options(sentence, of_images=True) == "--group-column is 'a', but"
