"""The inputs of nodes that only some settings of the epochs' scores need."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from kedro.pipeline import Node

from borderline.grid import Layout, current, node

REFERENCE = "params:metrics.epoch_reference"


def reads_real_images(layout: Layout) -> bool:
    """Whether trainings need more of the real images than the LeNet's features of the pair."""
    return "inception" in layout.epoch_judges or layout.epoch_reference == "all"


def node_of_epochs(function: Callable[..., Any], outputs: str | list[str], **inputs: str) -> Node:
    """A node as of ``grid.node``, whose optional parameters get the inputs that the settings need.

    By default there are none.
    """
    layout = current()
    optional: dict[str, str] = {}
    if "inception" in layout.epoch_judges:
        optional["inception"] = "inception"
    if "classifier" in layout.epoch_judges:
        optional["model_statistics"] = "model_statistics"
    if reads_real_images(layout):
        optional["real_statistics"] = "real_statistics"
    if layout.epoch_reference != "pair":
        optional["epoch_reference"] = REFERENCE
    if layout.noise_file:
        optional |= {"noise_file": "noise_file", "noise_path": "params:generation.noise_file"}
    parameters = inspect.signature(function).parameters
    inputs |= {name: dataset for name, dataset in optional.items() if name in parameters}
    return node(function, outputs, more=inputs)
