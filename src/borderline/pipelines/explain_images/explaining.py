"""From image files of the user to a row of the table for each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from borderline.counterfactuals.explain import (
    COLUMNS,
    OWN,
    Asked,
    Surroundings,
    explain_images,
)
from borderline.counterfactuals.params import CounterfactualsParams
from borderline.datasets.own_images import OwnFiles
from borderline.measures.inference import predict
from borderline.params import RunParams
from borderline.records import Counterfactuals

# From [0, 255] to [-1, 1].
_HALF = 127.5


def explain_files(
    own: OwnFiles, given: Surroundings, settings: CounterfactualsParams, run: RunParams
) -> tuple[Counterfactuals, pd.DataFrame]:
    """Explain the files that can be read; the others have a row with the reason in ``note``."""
    shape = tuple(given.test["images"].shape[1:])
    contents = own.pixels(shape)
    readable = [row for row, content in enumerate(contents) if not isinstance(content, str)]
    images = _as_images([contents[row] for row in readable], shape)
    p = torch.zeros(0)
    if readable:
        p = predict(given.classifier, images, run.torch_device())
    names = [file.name for file in own.files]
    asked = Asked(images, [names[row] for row in readable], None, [OWN] * len(readable), p)
    found, table = explain_images(asked, given, settings, run)
    whole = pd.DataFrame(index=range(len(names)), columns=list(COLUMNS), dtype=object)
    whole["image"], whole["why"] = names, OWN
    whole.loc[readable, list(COLUMNS)] = table.to_numpy()
    for row, content in enumerate(contents):
        if isinstance(content, str):
            whole.loc[row, "note"] = f"cannot be read: {content}"
    found["rows"] = torch.tensor(readable, dtype=torch.int64)[found["rows"]]
    return found, whole


def _as_images(pixels: list[np.ndarray | str], shape: tuple[int, ...]) -> Tensor:
    """Pixels of 8 bits as images in [-1, 1]."""
    if not pixels:
        return torch.zeros(0, *shape)
    return torch.from_numpy(np.stack(pixels)).float() / _HALF - 1
