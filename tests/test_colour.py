"""Colour images of another size go the whole road, from IDX files to prototypes."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.torch import load_file

from conftest import cut_short, run_here


@pytest.mark.road
def test_colour_and_another_size(project: Path) -> None:
    size = 33  # odd, so that no layer halves it evenly
    random = np.random.default_rng(0)
    labels = np.arange(240) % 3
    images = random.integers(0, 60, (240, size, size, 3))
    for label in range(3):
        images[labels == label, :, :, label] += 190
    folder = project / "idx"
    folder.mkdir()
    for part, array in (("images", images), ("labels", labels)):
        header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        (folder / f"train-{part}").write_bytes(header + array.astype(np.uint8).tobytes())
    about = {
        "data_folder": "data/test",
        "dataset": "colours",
        "source": {"kind": "idx", "path": "idx", "classes": ["red", "green", "blue"]},
        "pair": {"positive": "red", "negative": "blue"},
    }
    (project / "conf/test/globals.yml").write_text(yaml.safe_dump(about))
    # In a band this wide every image is borderline, so that every stage has something to do. The
    # model decides at another threshold than 0.5.
    wide = "confusion.threshold=0.2,confusion.band=15,confusion.scale=logit"
    arguments = ("--env", "test", "--params", wide)
    result = run_here(cut_short(project), *arguments, drawn=True)
    assert result.exit_code == 0, result.output
    case = project / "data/test/07_model_output/colours_redvblue/cnn_1"
    prototypes = load_file(case / "prototypes.safetensors")
    assert prototypes["images"].shape[1:] == (3, size, size)
    assert len(prototypes["images"]) >= 2
    for attributions in load_file(case / "attributions.safetensors").values():
        assert attributions.shape == (len(prototypes["images"]), size, size)
        assert torch.isfinite(attributions).all()
    reporting = project / "data/test/08_reporting/colours_redvblue"
    summary = pd.read_csv(reporting / "summary.csv")
    assert (summary["prototypes"] >= 2).all()
    assert summary["accuracy"].between(0, 1).all()
