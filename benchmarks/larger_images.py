"""Seconds and peak memory of the search and of the prototypes over the size of the images.

Whole runs on random images of 28 to 256 pixels in colour: a decoder without a training enlarges
8x8 latents smoothly, so that the time of the GAN plays no part. The model and the judge learn one
epoch. The seconds of a stage are those that the processor works for its nodes, of all threads
together: other work on the machine hardly changes them. The memory is the largest of the process.

    python benchmarks/larger_images.py --plot docs/larger_images.png
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
import yaml
from common import CONF, machine
from matplotlib.figure import Figure
from stages import TIMED, by_stage
from start import HERE
from torch import Tensor, nn
from torch.nn import functional as F

SIDES = (28, 64, 128, 256)
GRID = 8
CHANNELS = 3
TRAIN, TEST, GENERATED = 2000, 500, 1000
OF_PROCESSOR = TIMED.replace("perf_counter", "process_time")


class Decoder(nn.Module):
    """Latents (N, 192) to images (N, 3, side, side) in [-1, 1]."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, latents: Tensor) -> Tensor:
        """Latents to images."""
        maps = latents.reshape(-1, CHANNELS, GRID, GRID)
        return F.interpolate(maps, (self.side, self.side), mode="bicubic").tanh()


def write_images(file: Path, side: int) -> None:
    """Images of the decoder; the class is the brighter half."""
    random = torch.Generator().manual_seed(0)
    decoder, arrays = Decoder(side), {}
    for name, count in {"": TRAIN, "test_": TEST}.items():
        latents = torch.randn(count, CHANNELS * GRID**2, generator=random)
        upper, lower = latents.reshape(count, CHANNELS, 2, -1).mean((1, 3)).unbind(1)
        images = torch.cat([decoder(part) for part in latents.split(100)])
        pixels = ((images + 1) * 127.5).round().byte().movedim(1, -1)
        arrays |= {f"{name}images": pixels.numpy(), f"{name}labels": (upper > lower).numpy()}
    np.savez(file, **{name: array.astype(np.uint8) for name, array in arrays.items()})


def settings(side: int, folder: Path) -> tuple[dict[str, object], dict[str, object]]:
    """The two files of settings of a run."""
    about = {
        "data_folder": str(folder / f"data_{side}"),
        "dataset": f"random_{side}",
        "source": {"kind": "arrays", "path": str(folder / f"{side}.npz"), "classes": ["low", "up"]},
        "pair": {"positive": "up", "negative": "low"},
    }
    source = {
        "kind": "callable",
        "import_path": "larger_images.Decoder",
        "arguments": {"side": side},
    }
    space = {"kind": "imported", "source": source, "latent_dim": CHANNELS * GRID**2}
    experiment = {
        "grid": {"models": ["cnn_2"], "generators": ["random", "search"]},
        "generators": {"random": space, "search": {"kind": "latent_search", "space_of": "random"}},
        "judge_kinds": {"lenet": {"members": 1, "epochs": 1}},
        "classifier": {"epochs": 1},
        "generation": {"images": GENERATED, "test_noise": GENERATED},
        "metrics": {"choose": "search"},
        "tracking": {"mode": "disabled"},
    }
    return about, experiment


def measure(side: int, folder: Path) -> pd.Series:
    """The processor's seconds of each stage of a run, and its peak memory in GB."""
    write_images(folder / f"{side}.npz", side)
    conf = folder / "conf"
    shutil.copytree(CONF, conf, dirs_exist_ok=True)
    (conf / "sizes").mkdir(exist_ok=True)
    for name, values in zip(("globals", "parameters"), settings(side, folder), strict=True):
        (conf / "sizes" / f"{name}.yml").write_text(yaml.safe_dump(values))
    nodes = folder / f"{side}.nodes"
    paths = f"{HERE / 'src'}{os.pathsep}{HERE / 'benchmarks'}"
    arguments = ["run", "--env", "sizes", "--conf-source", str(conf)]
    process = subprocess.Popen(
        [sys.executable, "-c", OF_PROCESSOR, str(nodes), *arguments],
        cwd=HERE,
        env=os.environ | {"PYTHONPATH": paths, "KEDRO_DISABLE_TELEMETRY": "1"},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"The run with images of {side} pixels has failed.")
    seconds = pd.Series(dict(json.loads(line) for line in nodes.read_text().splitlines()))
    return pd.concat([by_stage(seconds), pd.Series({"memory_gb": usage.ru_maxrss / 2**20})])


def draw(table: pd.DataFrame) -> Figure:
    """Seconds of the processor and memory over the side of the images."""
    figure = Figure(figsize=(9, 3.6), layout="constrained", dpi=120)
    left, right = figure.subplots(1, 2)
    for stage in table.columns.drop("memory_gb"):
        left.plot(table.index, table[stage], marker="o", label=stage)
    left.set(xlabel="side in pixels", ylabel="seconds of the processor", xscale="log", yscale="log")
    left.legend(fontsize=8)
    right.plot(table.index, table["memory_gb"], marker="o")
    right.set(xlabel="side in pixels", ylabel="peak memory, GB", xscale="log", ylim=(0, None))
    for axis in (left, right):
        axis.set_xticks(table.index, [str(side) for side in table.index])
        axis.minorticks_off()
    return figure


def main() -> None:
    """Print the table, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=list(SIDES))
    parser.add_argument("--plot", type=Path, help="the PNG to write")
    given = parser.parse_args()
    rows = {}
    with TemporaryDirectory() as folder:
        for side in given.sides:
            rows[side] = measure(side, Path(folder))
            print(f"{side} pixels: {rows[side].round(2).to_dict()}", flush=True)
    table = pd.DataFrame(rows).T.rename_axis("side")
    print(table.round(2).to_string())
    print(machine())
    if given.plot:
        draw(table).savefig(given.plot)


if __name__ == "__main__":
    main()
