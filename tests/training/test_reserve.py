from __future__ import annotations

import pytest
import torch

from borderline.params import RunParams
from borderline.records import LabelledImages
from borderline.training.epochs import split_validation
from borderline.training.params import TrainingParams
from borderline.training.reserve import split_reserve, validation_rows

TRAINING = TrainingParams(
    epochs=1, batch_size=8, learning_rate=0.1, validation_share=0.5, patience=1
)


@pytest.mark.parametrize("grouped", [False, True])
def test_a_repaired_model_has_half_of_the_validation_images(
    pair_images: LabelledImages, run: RunParams, grouped: bool
) -> None:
    images = pair_images
    if grouped:
        images = {**images, "groups": torch.arange(60) // 6}
    _, rows = split_validation(images, TRAINING, run, "classifier")
    reserve, selection = split_reserve(images, rows, run)
    assert torch.equal(torch.cat([reserve, selection]).sort().values, rows.sort().values)
    assert abs(len(reserve) - len(selection)) <= (6 if grouped else 2)
    assert abs(int(images["labels"][selection].sum()) - len(selection) / 2) <= 1
    if grouped:
        groups = images["groups"]
        assert not set(groups[reserve].tolist()) & set(groups[selection].tolist())
    assert torch.equal(validation_rows(images, TRAINING, run, repaired=False), rows)
    assert torch.equal(validation_rows(images, TRAINING, run, repaired=True), selection)


@pytest.mark.parametrize(
    ("labels", "groups"),
    [([0, 1, 1], None), ([1, 1], None), ([0, 1, 0, 1], [3, 3, 3, 3])],
    ids=["one image of a class", "no image of a class", "one group"],
)
def test_images_that_cannot_be_halved_are_for_the_selection(
    labels: list[int], groups: list[int] | None, run: RunParams
) -> None:
    rows = torch.arange(len(labels))
    images: LabelledImages = {"images": torch.zeros(len(rows)), "labels": torch.tensor(labels)}
    if groups is not None:
        images["groups"] = torch.tensor(groups)
    reserve, selection = split_reserve(images, rows, run)
    assert len(reserve) == 0
    assert sorted(selection.tolist()) == rows.tolist()
