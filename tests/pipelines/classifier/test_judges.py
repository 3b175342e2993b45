from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from borderline.committee import Committee
from borderline.pipelines.classifier.judges import committee_of, score_committee
from borderline.records import LabelledImages
from borderline.training.resampling import blend, bootstrap

CPU = torch.device("cpu")


class Bright(nn.Module):
    """Sure of class 2 for bright images, of class 0 for dark ones."""

    def forward(self, images: Tensor) -> Tensor:
        brightness = images.mean((1, 2, 3))
        return torch.stack([-9 * brightness, torch.zeros(len(images)), 9 * brightness], 1)


def test_resample_keeps_the_size_of_each_class_and_repeats_images() -> None:
    rows, labels = torch.arange(100, 200), torch.arange(100) % 4
    drawn = bootstrap(rows, labels, seed=1)
    assert len(drawn) == 100
    assert set(drawn.tolist()) < set(rows.tolist())
    assert torch.equal(labels[drawn - 100].bincount(), labels.bincount())
    assert torch.equal(drawn, bootstrap(rows, labels, seed=1))
    assert not torch.equal(drawn, bootstrap(rows, labels, seed=2))


def test_share_of_a_batch_is_blended_with_its_labels() -> None:
    images = torch.arange(20.0)[:, None, None, None].expand(-1, 1, 2, 2)
    labels = torch.arange(20)
    random = torch.Generator().manual_seed(0)
    mixed, targets = blend(images, labels, random, classes=20, share=0.5)
    torch.testing.assert_close(targets.sum(1), torch.ones(20))
    assert torch.equal(mixed[10:], images[10:])
    assert torch.equal(targets[10:].argmax(1), labels[10:])
    assert (targets[:10] > 0).sum(1).max() == 2
    # An image is blended as its labels are.
    torch.testing.assert_close(mixed[:, 0, 0, 0], targets @ labels.float())
    assert not torch.equal(mixed[:10], images[:10])


def test_without_a_share_nothing_is_blended() -> None:
    images, labels = torch.rand(6, 1, 2, 2), torch.arange(6) % 3
    mixed, targets = blend(images, labels, torch.Generator(), classes=3, share=0.0)
    assert torch.equal(mixed, images)
    assert torch.equal(targets.argmax(1), labels)


def test_committee_of_trained_judges_has_the_columns_of_the_labels() -> None:
    committee = committee_of([Bright(), Bright()], ["0", "1", "2"], (2, 0))
    assert len(committee.members) == 2
    assert (committee.classes, committee.positive, committee.negative) == (("0", "1", "2"), 2, 0)


def test_scores_are_those_on_the_classes_of_the_pair() -> None:
    images = torch.tensor([1.0, 1.0, -1.0, -1.0])[:, None, None, None].expand(-1, 1, 4, 4)
    test: LabelledImages = {"images": images, "labels": torch.tensor([1, 1, 0, 1])}
    committee = committee_of([Bright()], ["0", "1", "2"], (2, 0))
    row = score_committee(committee, test, CPU)
    assert (row["members"], row["accuracy"], row["disagreement"]) == (1, 0.75, 0)
    assert row["confidence"] == pytest.approx(1, abs=1e-3)
    nobody = Committee(members=(), classes=(), positive=2, negative=0)
    row = score_committee(nobody, test, CPU)
    assert row["members"] == 0
    assert math.isnan(row["accuracy"])
