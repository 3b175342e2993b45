"""Models of other libraries, through ``kedro new-case`` and the checks of a run.

The large libraries are in the extra ``foreign``; their tests are skipped without it. Whole runs of
all these models: ``pytest tests/test_foreign.py -m foreign``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from borderline.cli import cli
from borderline.datasets import ImageSource
from borderline.preflight.imports import check_imports
from conftest import QUICK_CLUSTERS, ROOT, run_here, start_kedro
from elsewhere import Ink, foreign_network, onnx_file

DIGITS = ["--images", "mnist_sample", "--positive", "7", "--negative", "1"]
JUDGED = ["--embedding", "judge"]


def trial_digits() -> tuple[Tensor, np.ndarray]:
    """Images of 1 and 7 in [0, 1] (128, 1, 28, 28), and whether they are a 7 (128,)."""
    real = ImageSource(kind="mnist_sample").load().train
    rows = torch.cat([(real["labels"] == digit).nonzero()[:64, 0] for digit in (1, 7)])
    return (real["images"][rows] + 1) / 2, (real["labels"][rows] == 7).numpy()


def with_fitted_head(network: nn.Module, channels: int) -> nn.Module:
    """Fit the last linear layer of a network with random weights to the digits."""
    images, labels = trial_digits()
    images = images.expand(-1, channels, -1, -1) * 2 - 1
    head = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    seen: list[Tensor] = []
    with head.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0])), torch.no_grad():
        network.eval()(images)
    scaler = StandardScaler().fit(seen[0].numpy())
    fitted = LogisticRegression(max_iter=200).fit(scaler.transform(seen[0].numpy()), labels)
    slope = fitted.coef_[0] / scaler.scale_
    weight = torch.from_numpy(slope).float()
    shift = float(fitted.intercept_[0] - slope @ scaler.mean_)
    with torch.no_grad():
        head.weight.copy_(torch.stack([-weight / 2, weight / 2]))
        head.bias.copy_(torch.tensor([-shift / 2, shift / 2]))
    return network


def with_weights_of(project: Path, library: str, channels: int = 1) -> list[str]:
    """Save the weights of ``elsewhere.foreign_network``."""
    network = with_fitted_head(foreign_network(library), channels)
    torch.save(network.state_dict(), project / "foreign.pt")
    path = ["--model", "foreign.pt", "--import-path", "elsewhere.foreign_network"]
    normalised = ["--mean", "0.5", "--std", "0.5"]  # only this contract is tried, which is quicker
    return [*path, "--arguments", f"{{library: {library}}}", *normalised]


def with_onnx(content: bytes, *options: str) -> Callable[[Path], list[str]]:
    def write(project: Path) -> list[str]:
        (project / "foreign.onnx").write_bytes(content)
        return ["--model", "foreign.onnx", *options]

    return write


def pipeline_of_sklearn() -> Any:
    images, labels = trial_digits()
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.01))
    return pipeline.fit(images.flatten(1).numpy(), labels.astype(int))


def sklearn_callable(project: Path) -> list[str]:
    """The example of the documentation, by its words."""
    text = (ROOT / "docs/your_own.md").read_text()
    code = re.search(r"```python\n(import joblib.*?)```", text, re.S)
    command = re.search(r"kedro new-case digits (.*)", text)
    assert code is not None
    assert command is not None
    (project / "src/digits.py").write_text(code[1])
    joblib.dump(pipeline_of_sklearn(), project / "digits.joblib")
    return command[1].removesuffix(" ".join(DIGITS)).split()


def sklearn_onnx(project: Path, **options: Any) -> list[str]:
    skl2onnx = pytest.importorskip("skl2onnx")
    images, _ = trial_digits()
    model = skl2onnx.to_onnx(pipeline_of_sklearn(), images.flatten(1).numpy()[:1], options=options)
    return with_onnx(model.SerializeToString(), *JUDGED)(project)


def lightning_by_hand(project: Path) -> list[str]:
    state = {f"model.{name}": value for name, value in Ink().state_dict().items()}
    beside = {"epoch": 3, "callbacks": {"best": np.float64(0.1)}, "loss.weight": torch.ones(2)}
    torch.save({"state_dict": state, **beside}, project / "last.ckpt")
    return ["--model", "last.ckpt", "--import-path", "elsewhere.Ink"]


def lightning(project: Path) -> list[str]:
    library = pytest.importorskip("lightning")

    class Lit(library.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.save_hyperparameters({"rate": 1e-9, "out": Path("out")})
            self.model = Ink()

        def training_step(self, batch: list[Tensor], _: int) -> Tensor:
            return self.model(batch[0]).logsumexp(1).mean()

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters(), lr=1e-9)

    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(trial_digits()[0][:2]))
    quiet = {"logger": False, "enable_progress_bar": False, "enable_checkpointing": False}
    trainer = library.Trainer(max_steps=1, accelerator="cpu", enable_model_summary=False, **quiet)
    trainer.fit(Lit(), loader)
    trainer.save_checkpoint(project / "last.ckpt")
    return ["--model", "last.ckpt", "--import-path", "elsewhere.Ink"]


def needing(library: str, channels: int) -> Callable[[Path], list[str]]:
    def write(project: Path) -> list[str]:
        pytest.importorskip(library)
        return with_weights_of(project, library, channels)

    return write


FOREIGN: dict[str, tuple[Callable[[Path], list[str]], dict[str, Any]]] = {
    "torchvision": (needing("torchvision", 3), {"outputs": "logits"}),
    "nhwc": (
        with_onnx(onnx_file(("N", 28, 28, 1), {"scores": "logits"})),
        {"input": {"layout": "nhwc"}},
    ),
    "fixed_batch_and_size": (
        with_onnx(onnx_file((4, 32, 32, 3), {"scores": "logits"})),
        {"input": {"layout": "nhwc", "channels": 3, "size": 32, "fit": True}},
    ),
    "label_first": (
        with_onnx(onnx_file(("N", 784), {"label": "label", "probabilities": "maps"}), *JUDGED),
        {"input": {"layout": "flat_nchw"}, "outputs": "probabilities"},
    ),
    "lightning_by_hand": (lightning_by_hand, {"outputs": "logits"}),
    "sklearn_callable": (sklearn_callable, {"outputs": "probabilities", "embedding": "judge"}),
    "sklearn_onnx": (sklearn_onnx, {"outputs": "probabilities"}),
    "sklearn_onnx_no_maps": (lambda project: sklearn_onnx(project, zipmap=False), {}),
    "timm": (needing("timm", 1), {"outputs": "logits"}),
    "transformers": (needing("transformers", 1), {"outputs": "logits"}),
    "lightning": (lightning, {"outputs": "logits"}),
}


@pytest.fixture
def case(
    request: pytest.FixtureRequest, project: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, Path]:
    """A foreign model and the project in which ``new-case`` has written its environment."""
    monkeypatch.chdir(project)
    monkeypatch.syspath_prepend(str(project / "src"))
    monkeypatch.delitem(__import__("sys").modules, "digits", raising=False)
    start_kedro()
    torch.manual_seed(0)
    write, expected = FOREIGN[request.param]
    result = CliRunner().invoke(cli, ["new-case", "foreign", *write(project), *DIGITS])
    assert result.exit_code == 0, result.output
    settings = yaml.safe_load((project / "conf/foreign/parameters.yml").read_text())
    model = settings["models"]["foreign"]
    if "size" in expected.get("input", {}):
        assert "correct with [0, 1], resized to 32x32" in result.output
    for name, value in expected.items():
        found = model.get(name)
        assert found == value if name != "input" else value.items() <= found.items(), model
    return request.param, project


@pytest.mark.parametrize("case", FOREIGN, indirect=True)
def test_foreign_model_passes_the_checks_of_a_run(case: tuple[str, Path]) -> None:
    _, project = case
    with KedroSession.create(project, env="foreign") as session:
        context = session.load_context()
        catalog = context.catalog
        source = catalog.load("source")
        assert context.layout.imported == ("foreign",)
        check_imports(catalog, pipelines["classifier"], source, context.checked, context.layout)


@pytest.mark.foreign
@pytest.mark.parametrize("case", FOREIGN, indirect=True)
def test_foreign_model_runs(case: tuple[str, Path]) -> None:
    """A whole run with the sizes of the test environment."""
    name, project = case
    small = yaml.safe_load((project / "conf/test/parameters.yml").read_text())
    for group in ("grid", "models"):
        small.pop(group, None)
    small["clustering"] |= QUICK_CLUSTERS
    (project / "conf/foreign/parameters_small.yml").write_text(yaml.safe_dump(small))
    result = run_here(project, "--env", "foreign")
    assert result.exit_code == 0, f"{name}: {result.output}"
    folder = project / "data/08_reporting/foreign_7v1"
    card = (folder / "foreign/model_card.md").read_text()
    assert " 0 weights" not in card
    assert (folder / "report.html").exists()
