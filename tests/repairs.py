"""Trainings of a repair that are made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from borderline.datasets.checkpoints import Checkpoint, Checkpoints
from borderline.findings import Measured, Repair
from borderline.pipelines.repair.outcomes import Outcome, ScoredOn, as_it_is, outcomes_of
from borderline.pipelines.repair.params import RepairParams
from borderline.records import FreshImages
from conftest import BOUNDARY, base_settings


def repair_params(*arms: str, seeds: int = 2, **changed: object) -> RepairParams:
    """Settings of a repair with these arms."""
    values = base_settings()["repair"] | {"arms": arms, "seeds": seeds}
    return RepairParams.model_validate(values | changed)


def labels_of(images: int) -> Tensor:
    """Labels that take turns."""
    return torch.arange(images) % 2


def p_with(labels: Tensor, wrong: Sequence[int]) -> Tensor:
    """p of a model that is sure, and wrong in these rows only."""
    p = torch.where(labels == 1, 0.9, 0.1)
    rows = torch.tensor(list(wrong), dtype=torch.long)
    p[rows] = 1 - p[rows]
    return p


def fresh_of(patterns: Sequence[int]) -> FreshImages:
    """Fresh images of these patterns, on which the model as it is, is always wrong."""
    labels = labels_of(len(patterns))
    return {
        "images": torch.zeros(len(patterns), 1, 2, 2),
        "labels": labels,
        "patterns": torch.tensor(patterns, dtype=torch.long),
        "probabilities": torch.where(labels == 1, 0.45, 0.55),
        "generated": torch.tensor([100]),
    }


def training(
    test_p: Tensor, fresh_p: Tensor, *, loss: float = 0.1, threshold: float = 0.5
) -> Checkpoint:
    """A finished training."""
    state = {"test_p": test_p, "fresh_p": fresh_p, "selection_p": test_p, "threshold": threshold}
    return {
        "epoch": 1,
        "settings": {"number of added images": 400},
        "history": [],
        "state": state | {"selection_loss": loss},
    }


def trainings_of(
    labels: Tensor,
    wrong: Mapping[str, Sequence[Sequence[int]]],
    fresh: FreshImages,
    fresh_wrong: Mapping[str, Sequence[Sequence[int]]] | None = None,
) -> Checkpoints:
    """Trainings by name, from the rows that each seed of each arm gets wrong."""
    made = {}
    for arm, seeds in wrong.items():
        for seed, rows in enumerate(seeds, start=1):
            of_fresh = fresh_wrong[arm][seed - 1] if fresh_wrong else []
            made[f"{arm}_seed_{seed}"] = training(
                p_with(labels, rows), p_with(fresh["labels"], of_fresh), loss=0.1 * seed
            )
    return {name: (lambda each=each: each) for name, each in made.items()}


def scored_on(
    labels: Tensor,
    *,
    fresh: FreshImages | None = None,
    near: Sequence[int] = (),
    patterns: int = 0,
    groups: Tensor | None = None,
) -> ScoredOn:
    """Test images with these labels; the first ones lie near these patterns."""
    fresh = fresh_of([]) if fresh is None else fresh
    numbers = torch.tensor([*near, *[-1] * (len(labels) - len(near))])
    return ScoredOn(labels, groups, numbers, fresh["labels"], fresh["patterns"], patterns)


def compared(
    wrong: Mapping[str, Sequence[Sequence[int]]],
    images: int,
    *,
    fresh: FreshImages | None = None,
    fresh_wrong: Mapping[str, Sequence[Sequence[int]]] | None = None,
    near: Sequence[int] = (),
    patterns: int = 0,
    groups: Tensor | None = None,
) -> tuple[list[Outcome], ScoredOn]:
    """A model without errors as it is, and trainings, with the rows that they get wrong."""
    labels, fresh = labels_of(images), fresh_of([]) if fresh is None else fresh
    tested = scored_on(labels, fresh=fresh, near=near, patterns=patterns, groups=groups)
    repair = repair_params(*wrong, seeds=len(wrong["again"]))
    made = trainings_of(labels, wrong, fresh, fresh_wrong)
    view: Any = {"test_p": p_with(labels, [])}
    first = as_it_is(view, fresh, BOUNDARY)
    return [first, *outcomes_of(made, repair, BOUNDARY, tested)], tested


class Near:
    """A cluster model for which the first embedding of an image is its cluster, -1 for none."""

    def assign(self, embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The clusters, all of them sure."""
        labels = embeddings[:, 0].astype(int)
        return labels, np.ones(len(labels)), embeddings

    def typicality(self, embeddings: np.ndarray) -> np.ndarray:
        """The second embedding."""
        return embeddings[:, 1]


def repair_of(**changed: object) -> Repair:
    """A repair with one arm that helps, and without a test on one difference."""
    none = Measured()
    arm: dict[str, object] = {"to_again": none, "to_again_p": None, "to_random": none}
    arm |= {"to_random_p": None, "error": Measured(value=0.0072), "fresh": Measured(value=0.5)}
    helps = {
        "to_again": Measured(value=-0.0021, low=-0.0035, high=-0.0007),
        "to_again_p": 0.01,
        "to_random": Measured(value=0.001),
        "to_random_p": 0.7,
    }
    values: dict[str, object] = {
        "made_for": "digest",
        "says": ["Borderline images help here.", "A detail."],
        "kept": "boundary",
        "seeds": 5,
        "test_images": 2163,
        "fresh_images": 300,
        "arms": [
            arm | {"name": "again", "title": "no added images"},
            arm | {"name": "boundary", "title": "borderline images"} | helps,
        ],
    }
    return Repair.model_validate(values | changed)
