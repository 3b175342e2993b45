"""From image files of the user to a row of the table for each."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from borderline.counterfactuals.explain import (
    COLUMNS,
    NOT_OF_THE_PAIR,
    OWN,
    Asked,
    Surroundings,
    explain_images,
)
from borderline.counterfactuals.params import CounterfactualsParams
from borderline.datasets.own_images import OwnFiles
from borderline.measures.distances import measure_distances
from borderline.measures.inference import beside_pair, most_other_mass, predict
from borderline.params import RunParams
from borderline.records import Counterfactuals, HeldOut
from borderline.verdicts.params import VerdictsParams
from borderline.verdicts.rule import judge_images, why_foreign

# From [0, 255] to [-1, 1].
_HALF = 127.5


def explain_files(
    own: OwnFiles,
    given: Surroundings,
    verdicts: VerdictsParams,
    settings: CounterfactualsParams,
    run: RunParams,
) -> tuple[Counterfactuals, pd.DataFrame]:
    """Explain the files that can be read and show images of the pair.

    The others have a row with the reason in ``note``. A generator that can be inverted reconstructs
    images of any kind, so its error does not tell those of the pair.

    Args:
        own: The files.
        given: The results of a run.
        verdicts: The limits beyond which an image is not of the pair.
        settings: The settings of the search.
        run: Seed and device.
    """
    shape = tuple(given.test["images"].shape[1:])
    contents = own.pixels(shape)
    readable = [row for row, content in enumerate(contents) if not isinstance(content, str)]
    images = _as_images([contents[row] for row in readable], shape)
    p = torch.zeros(0)
    if readable:
        p = predict(given.classifier, images, run.torch_device())
    names = [file.name for file in own.files]
    whole = pd.DataFrame(index=range(len(names)), columns=list(COLUMNS), dtype=object)
    whole["image"], whole["why"] = names, OWN
    for row, content in enumerate(contents):
        if isinstance(content, str):
            whole.loc[row, "note"] = f"cannot be read: {content}"
    whole.loc[readable, "p"] = p.double().numpy()
    of_pair = []
    for place, reason in enumerate(_why_foreign(images, given, verdicts, run)):
        if p[place].isnan():
            whole.loc[readable[place], "note"] = "the model gives NaN for it"
        elif reason:
            whole.loc[readable[place], "note"] = f"{NOT_OF_THE_PAIR}: {reason}"
        else:
            of_pair.append(place)
    rows = [readable[place] for place in of_pair]
    chosen = images[of_pair], [names[row] for row in rows], None, [OWN] * len(rows), p[of_pair]
    found, table = explain_images(Asked(*chosen), given, settings, run)
    whole.loc[rows, list(COLUMNS)] = table.to_numpy()
    found["rows"] = torch.tensor(rows, dtype=torch.int64)[found["rows"]]
    return found, whole


def _why_foreign(
    images: Tensor, given: Surroundings, verdicts: VerdictsParams, run: RunParams
) -> list[str]:
    """Why each image (M, C, H, W) is not of the pair; an empty text where nothing says so."""
    device, train = run.torch_device(), given.train["images"]
    train_features = given.reference["lenet.features"].float()
    test = given.test["images"], given.reference["lenet.test_features"]
    distances = measure_distances(*test, train, train_features, verdicts.neighbours)
    real: HeldOut = {**distances, "train_features": train_features}
    seen = given.committee, given.judge, train, real, verdicts, device
    opinions, _ = judge_images(images, *seen)
    reasons = why_foreign(opinions, real, given.committee, verdicts)
    of_model = beside_pair(given.classifier, images, device)
    beside = f"the model gives other classes more than {most_other_mass(given.classifier)}"
    return [r or (beside if b else "") for r, b in zip(reasons, of_model, strict=True)]


def _as_images(pixels: list[np.ndarray | str], shape: tuple[int, ...]) -> Tensor:
    """Pixels of 8 bits as images in [-1, 1]."""
    if not pixels:
        return torch.zeros(0, *shape)
    return torch.from_numpy(np.stack(pixels)).float() / _HALF - 1
