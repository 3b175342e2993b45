"""The two sides of a comparison."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from borderline.errors import BorderlineError
from borderline.findings import Findings
from borderline.params import Pairing
from borderline.records import Clusters, LabelledImages, Part, Prototypes, RealView


@dataclass(frozen=True)
class Side:
    """A model with its datasets, under their names in the catalog."""

    name: str
    findings: Findings
    classifier: nn.Module
    borderline: Part
    clusters: Clusters
    prototypes: Prototypes
    pair_test: LabelledImages
    real_view: RealView


def sides_of(pairing: Pairing, datasets: Mapping[str, Any]) -> tuple[Side, Side]:
    """This side and the other one, from datasets called ``this.<name>`` and ``other.<name>``."""

    def side(key: str, name: str) -> Side:
        fields = {k.partition(".")[2]: v for k, v in datasets.items() if k.startswith(f"{key}.")}
        return Side(name=name, **fields | {"findings": Findings.read(fields["findings"])})

    this, other = pairing.names
    return side("this", this), side("other", other)


def check_comparable(this: Side, other: Side) -> None:
    """Raise an error unless both sides have images of one shape and the same classes."""
    shapes = [tuple(side.pair_test["images"].shape[1:]) for side in (this, other)]
    if shapes[0] != shapes[1]:
        raise BorderlineError(
            f"{other.name} has test images of shape {shapes[1]}, and {this.name} of {shapes[0]}: "
            "set compare and other_run to models of one dataset."
        )
    classes = [(side.findings.positive, side.findings.negative) for side in (this, other)]
    if classes[0] != classes[1]:
        raise BorderlineError(
            f"{other.name} tells {' from '.join(classes[1])}, and {this.name} "
            f"{' from '.join(classes[0])}: set compare and other_run to models of one pair with "
            "the same positive class."
        )
