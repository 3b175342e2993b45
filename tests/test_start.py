"""A command that computes nothing imports no library for computing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    *("torch", "torchvision", "torchmetrics", "torch_fidelity", "captum", "IPython", "wandb"),
    *("pandas", "scipy", "skimage", "sklearn", "optuna", "umap", "numba", "hdbscan", "kmedoids"),
    *("matplotlib", "plotly", "mlflow", "datasets", "onnxruntime", "distributed", "pydicom"),
    *("timm", "fastapi", "uvicorn"),
}
PROGRAM = """
import json, sys
from kedro.framework.cli import main

status = None
try:
    main()
except SystemExit as end:
    status = end.code
print(json.dumps({"status": status, "modules": [name for name in sys.modules if "." not in name]}))
"""


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["registry", "list"], 0, "__default__"),
        (["run", "--params", "gan.epohs=3"], 1, "gan.epohs"),
    ],
)
def test_start_imports_no_library_for_computing(
    project: Path, arguments: list[str], status: int, words: str
) -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    )
    end = json.loads(process.stdout.splitlines()[-1])
    assert words in process.stdout + process.stderr
    assert (end["status"] or 0) == status
    assert HEAVY.intersection(end["modules"]) == set()
