"""The embedded experiment (7 v 1) with fixed images, model under test and judge.

These are made once and imported. So another ``run.seed`` changes the GAN, the generators, their
images and the clustering, but not the split of the images, the model and the judge.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from kedro.framework.session import KedroSession
from safetensors.torch import save_file

from borderline.config_loader import base_settings
from borderline.datasets.image_source import ImageSource, split_source
from borderline.params import RunParams

HERE = Path(__file__).parents[1]
RUN = RunParams(seed=0, device="cpu")
ENVIRONMENT = MODEL = "fixed"
NETWORKS = "borderline.training.networks"
SHAPE = [1, 28, 28]
THREADS = [f"{name}_NUM_THREADS" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA")]


@dataclass(frozen=True)
class Condition:
    """The settings that differ between two runs: seed, threads, and ``ATEN_CPU_CAPABILITY``."""

    seed: int
    threads: int
    cpu: str

    @property
    def name(self) -> str:
        """The name of its data folder."""
        return f"seed_{self.seed}_threads_{self.threads}_{self.cpu}"


def kedro_run(
    folder: Path, name: str, condition: Condition, outputs: Sequence[str], changed: str = ""
) -> None:
    """Compute outputs, and all that they depend on, in a process and a data folder of its own.

    ``changed`` has further settings, as ``--params``. The log stands beside the data folder.
    """
    settings = [f"data_folder={folder / name}", f"run.seed={condition.seed}", "run.device=cpu"]
    settings += ["tracking.mode=disabled", *filter(None, [changed])]
    command = [sys.executable, "-m", "kedro", "run", "--conf-source", str(folder / "conf")]
    command += ["--env", ENVIRONMENT, "--to-outputs", ",".join(outputs)]
    variables = dict.fromkeys(THREADS, str(condition.threads))
    variables |= {"ATEN_CPU_CAPABILITY": condition.cpu, "KEDRO_DISABLE_TELEMETRY": "1"}
    paths = filter(None, [str(HERE / "src"), os.environ.get("PYTHONPATH")])
    with (folder / f"{name}.log").open("a") as log:
        process = subprocess.run(
            [*command, "--params", ",".join(settings)],
            cwd=HERE,
            env=os.environ | variables | {"PYTHONPATH": os.pathsep.join(paths)},
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if process.returncode:
        end = Path(log.name).read_text().splitlines()[-20:]
        sys.exit("\n".join([*end, f"{name} failed: see {log.name}"]))


def catalog_of(folder: Path, name: str) -> Any:
    """The catalog of a run."""
    settings = {"data_folder": str(folder / name)}
    with KedroSession.create(
        HERE, conf_source=str(folder / "conf"), env=ENVIRONMENT, runtime_params=settings
    ) as session:
        return session.load_context().catalog


def prepare(folder: Path) -> None:
    """Write the environment of the runs; make the images, the model and the judge if missing."""
    shutil.rmtree(folder / "conf", ignore_errors=True)
    shutil.copytree(HERE / "conf", folder / "conf")
    environment, images = folder / "conf" / ENVIRONMENT, folder / "images.npz"
    environment.mkdir()
    source = {"kind": "arrays", "name": "MNIST sample", "path": str(images)}
    (environment / "globals.yml").write_text(yaml.safe_dump({"source": source}))
    networks = {name: folder / f"{name}.safetensors" for name in (MODEL, "judge")}
    if not all(file.exists() for file in networks.values()):
        save_split(images)
        trained = {MODEL: "cnn_2.classifier", "judge": "judge"}
        kedro_run(folder, "shared", Condition(0, 1, "default"), list(trained.values()))
        catalog = catalog_of(folder, "shared")
        for name, file in networks.items():
            save_file(catalog.load(trained[name]).state_dict(), file)
    model = imported(networks[MODEL], "build_model", kind="cnn", filters=2)
    judge = imported(networks["judge"], "build_judge", n_classes=10)
    parameters = {
        "grid": {"models": [MODEL]},
        "models": {MODEL: model | {"outputs": "logit"}},
        "judge": judge | {"outputs": "logits"},
    }
    (environment / "parameters.yml").write_text(yaml.safe_dump(parameters))


def save_split(file: Path) -> None:
    """Save the digits as training and test images; otherwise each seed would split them anew."""
    share = base_settings(HERE / "conf")["pair"]["test_share"]
    source = ImageSource(kind="mnist_sample").load()
    splits = split_source(source, share, RUN.seed_for("test images"))
    arrays: dict[str, Any] = {}
    for prefix, split in zip(("", "test_"), splits, strict=True):
        pixels = (split["images"].numpy() + 1) * 127.5
        arrays[f"{prefix}images"] = pixels.round().astype(np.uint8)
        arrays[f"{prefix}labels"] = split["labels"].numpy()
    np.savez(file, **arrays)


def imported(file: Path, function: str, **arguments: Any) -> dict[str, Any]:
    """The settings of a network that is read from a file of weights."""
    source = {
        "kind": "state_dict",
        "path": str(file),
        "import_path": f"{NETWORKS}.{function}",
        "arguments": {**arguments, "shape": SHAPE},
    }
    return {"kind": "imported", "source": source, "input": {"range": [-1, 1]}}
