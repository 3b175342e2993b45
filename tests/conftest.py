"""What the tests share: tiny data, and a project of their own to run."""

from __future__ import annotations

import gc
import io
import logging
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from filelock import FileLock
from kedro.config import OmegaConfigLoader
from kedro.framework.startup import bootstrap_project
from matplotlib.figure import Figure
from moto.server import ThreadedMotoServer
from omegaconf import OmegaConf
from selenium import webdriver
from selenium.webdriver.chrome.options import Options as ChromeOptions
from selenium.webdriver.chrome.service import Service as ChromeService
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.wait import WebDriverWait
from torch import Tensor
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from borderline import config_loader
from borderline.boundary import Boundary
from borderline.cli import cli
from borderline.findings import MEASURES, Findings, Measured, Pattern
from borderline.imported.params import Contract, ImportedModelParams, Source
from borderline.params import PairParams, RunParams, merged
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.pipelines.gasten.gan_params import GanParams
from borderline.pipelines.gasten.kinds import KINDS
from borderline.pipelines.metrics.params import MetricsParams
from borderline.pipelines.prototypes.choosing.candidates import Candidates
from borderline.pipelines.prototypes.params import PrototypesParams
from borderline.records import LabelledImages

ROOT = Path(__file__).parents[1]
FASHION = Path("/usr/share/datasets/fashion-mnist")
ENVIRONMENTS = sorted(
    path.name for path in (ROOT / "conf").iterdir() if (path / "globals.yml").exists()
)

_CASE = "mnist_sample_7v1"
BOUNDARY: Boundary = {"threshold": 0.5, "band": 0.1, "scale": "probability", "rule": ""}
# Projects that are made once for all workers.
SHARED = {"whole", "short"}
# These go no further than the metrics. They run while the first whole run compiles UMAP for all
# processes, which takes 30 s with an empty cache, and would take as long again in a second one.
WITHOUT_UMAP = ("tests/test_sweep.py", "tests/test_step_1.py")
# The shared fixtures of these files are slow to make: one worker runs all tests of a file.
ON_ONE_WORKER = {
    *("tests/pipelines/metrics/test_planted.py", "tests/runners/test_dask_cluster.py"),
    "tests/pipelines/prototypes/choosing/test_validation.py",
    "tests/test_viz.py",
}

MODELS = ("cnn_1", "mlp_4")
TRAINED = ("gasten_10", "gasten_25")
GENERATORS = (*TRAINED, "latent_search", "hybrid", "pixel_bisection")

# Of a project that is cut short.
FEW_GENERATORS = ("gasten_10", "hybrid", "pixel_bisection")
QUICK_CLUSTERS = {
    "together": True,
    "reductions": ["pca"],
    "clusterings": ["kmeans"],
    "objective": "reproducibility",
    "reproducibility": {"splits": 2},
}

# How often test_resume.py kills a training in step 2, and once less in step 1.
KILLS = int(os.environ.get("BORDERLINE_KILLS", "1"))
LONG_ENOUGH = 3 + 2 * KILLS  # epochs

# Of the whole run.
SETTINGS = "gan.epochs=4"

# Of figures in pixels per inch: small ones take a third of the time. The whole run has real ones.
mpl.rc("savefig", dpi=40)
os.environ["MATPLOTLIBRC"] = str(Path(__file__).with_name("matplotlibrc"))  # of other processes
# Python's own numbers are for small programs: a tenth of the time would go into looking for cycles.
gc.set_threshold(20_000, 20, 10)

needs_fashion = pytest.mark.skipif(
    not FASHION.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest come first: a worker that ends early cannot help with what another has begun.

    Of those, the first that wants the whole project begins. The others that want a shared project
    come when it is made.
    """
    whole, first, early, among, last = [], [], [], [], []
    made: set[str] = set()
    for item in items:
        if item.get_closest_marker("road"):
            wanted = SHARED.intersection(getattr(item, "fixturenames", ()))
            if wanted <= made:
                group = last if wanted else early if _file(item.nodeid) in WITHOUT_UMAP else among
            else:
                group = whole if "whole" in wanted else first
            group.append(item)
            made |= wanted
    early.sort(key=lambda item: WITHOUT_UMAP.index(_file(item.nodeid)))
    roads = [*whole, *early, *first, *among, *last]
    items[:] = roads + [item for item in items if item not in roads]


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


class Scheduler(LoadScopeScheduling):
    """Gives workers a test at a time, or all tests of a file.

    The groups of pytest-xdist 3.8 would be the same, but pytest 9.2 does not see them.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = _file(nodeid)
        return file if file in ON_ONE_WORKER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduler:
    return Scheduler(config, log)


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random draws and imports of a test do not depend on the tests before it."""
    torch.manual_seed(0)
    # Kedro puts the source of every project that it starts before these.
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setenv("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
    monkeypatch.delenv("BORDERLINE_KEY", raising=False)


@pytest.fixture(autouse=True, scope="session")
def _read_once() -> Iterator[None]:
    """The same files of ``conf`` are parsed, and the same catalog is resolved, once in a process.

    A third of a start would go into it, and there are hundreds of them.
    """
    parsed, catalogs = dict[str, bytes](), dict[tuple[object, ...], bytes]()
    load, read = OmegaConf.load, OmegaConfigLoader.__getitem__

    def load_once(file: Any) -> Any:
        if not isinstance(file, io.StringIO):
            return load(file)
        text = file.getvalue()
        if text not in parsed:
            parsed[text] = pickle.dumps(load(file))
        return pickle.loads(parsed[text])

    def read_once(loader: OmegaConfigLoader, key: str) -> Any:
        if key != "catalog" or key in loader.data:
            return read(loader, key)
        folders = [Path(loader.conf_source) / str(env) for env in (loader.base_env, loader.env)]
        texts = [path.read_text() for folder in folders for path in folder.glob("catalog*")]
        same = (*sorted(texts), repr(loader["globals"]), repr(loader.runtime_params))
        if same not in catalogs:
            catalogs[same] = pickle.dumps(read(loader, key))
        return pickle.loads(catalogs[same])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmegaConf, "load", load_once)
        patch.setattr(OmegaConfigLoader, "__getitem__", read_once)
        yield


@pytest.fixture(scope="session")
def run() -> RunParams:
    return RunParams(seed=0, device="cpu")


@pytest.fixture(scope="session")
def pair() -> PairParams:
    return PairParams(positive=7, negative=1, test_share=0.2)


@pytest.fixture(scope="session")
def pair_images() -> LabelledImages:
    """Sixty small images of two classes that differ: bright on the left, bright on the right."""
    random = torch.Generator().manual_seed(1)
    labels = torch.arange(60) % 2
    images = torch.full((60, 1, 12, 12), -1.0)
    images[labels == 1, :, :, :6] = 0.8
    images[labels == 0, :, :, 6:] = 0.8
    noise = 0.3 * torch.randn(images.shape, generator=random)
    return {"images": (images + noise).clamp(-1, 1), "labels": labels}


class Pixels(torch.utils.data.Dataset[Tensor]):
    """Grey images of 8 bits as torch-fidelity wants them: in colour."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> Tensor:
        return self.images[row].expand(3, -1, -1)


@cache
def base_settings() -> dict[str, Any]:
    """The settings of conf/base."""
    return config_loader.base_settings(ROOT / "conf")


def gan_params(**changed: object) -> GanParams:
    """Settings of step 1, quick ones."""
    quick = {"preset": None, "steps_per_epoch": None, "filters": 2, "learning_rate": 1e-3}
    return GanParams.model_validate(base_settings()["gan"] | quick | changed)


def generator_settings(kind: str, **changed: object) -> Any:
    """Settings of a generator with the defaults of its kind."""
    defaults = base_settings()["generator_kinds"].get(kind, {})
    return KINDS[kind].Settings.model_validate(merged(defaults, {"kind": kind, **changed}))


def imported_model(**changed: object) -> ImportedModelParams:
    """Settings of an imported model with the defaults of its kind."""
    defaults = base_settings()["model_kinds"]["imported"]
    return ImportedModelParams.model_validate(merged(defaults, {"kind": "imported", **changed}))


def imported_source(kind: str, **changed: object) -> Source:
    """The source of an imported model with its defaults."""
    defaults = base_settings()["model_kinds"]["imported"]["source"]
    return Source.model_validate({**defaults, "kind": kind, **changed})


def contract_of(**changed: object) -> Contract:
    """The inputs of an imported model with their defaults."""
    return Contract.model_validate(base_settings()["model_kinds"]["imported"]["input"] | changed)


def metrics_params(*, sample_size: int, fewest_images: int, neighbours: int) -> MetricsParams:
    """Settings of the metrics stage, quick ones."""
    sizes = {"sample_size": sample_size, "fewest_images": fewest_images, "neighbours": neighbours}
    quick = {"resamples": 20, "most_borderline": 9}
    return MetricsParams.model_validate(base_settings()["metrics"] | sizes | quick)


def clustering_params(**changed: object) -> ClusteringParams:
    """Settings of the clustering stage, quick ones; of a group, only some may be given."""
    values: dict[str, object] = {
        "fewest_images": 10,
        "together": False,
        "pool": 100,
        "trials": 4,
        "reductions": ["pca", "none"],
        "clusterings": ["gmm", "hdbscan", "kmeans"],
        "objective": "silhouette",
        "search_epochs": 30,
        "finalists": 3,
        "epochs": 60,
        "fit_size": 1000,
        "score_size": 500,
        "images_per_pattern": 5,
        "fewest_in_cluster": 3,
        "most_noise": 0.5,
        "most_in_cluster": 0.95,
        "umap": {"n_neighbors": [5, 10], "min_dist": [0.01, 0.1], "n_components": [2, 4]},
        "tsne": {"perplexity": [5, 10]},
        "pca": {"n_components": [2, 4]},
        "gmm": {"n_components": [2, 5]},
        "kmeans": {"n_clusters": [2, 5]},
        "hdbscan": {
            "min_cluster_size": [5, 8],
            "min_samples": 3,
            "cluster_selection_epsilon": [0, 0.5],
        },
        "reproducibility": {"splits": 5, "least": 0.8, "valley": 0.65, "artefact": 0.95},
        "stability": {"resamples": 4, "seeds": 2, "images": 1000, "least": None},
        "structure": {"clouds": 9, "images": 200, "level": 0.1},
        "exemplars": {"most": 15, "least_gain": 0.04},
    }
    return ClusteringParams.model_validate(values | changed)


def blobs(*sizes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Groups in directions of their own, as cosine distance tells them apart, and their labels."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(sizes)), sizes)
    centres = np.eye(len(sizes), 10)[labels] * 5
    points = centres + random.normal(0, 0.3, (len(labels), 10))
    return points.astype(np.float32), labels


def prototypes_params(**changed: object) -> PrototypesParams:
    """Settings of the prototypes stage, quick ones; of a group, only some may be given."""
    values: dict[str, Any] = {
        "selections": ["medoid", "medoid_embedding", "k_medoids", "random"],
        "shown": "medoid",
        "images": 1000,
        "criticisms": 2,
        "real_borderline": 5,
        "validation": {
            "draws": 19,
            "label_draws": 19,
            "resamples": 4,
            "resample_images": 100,
            "repeats": 2,
            "repeat_images": 60,
            "level": 0.05,
        },
        "explanation": {
            "methods": ["gradient_shap", "saliency", "integrated_gradients", "occlusion"],
            "shap_baseline": "black",
            "shap_samples": 20,
            "steps": 20,
            "window": 3,
            "curve_steps": 4,
            "random_maps": 19,
            "randomisations": 1,
        },
        "tipping": {"confident": 0.9, "steps": 2, "neighbours": 2},
        "words": {"images": 100, "permutations": 199, "level": 0.05, "least_effect": 0.2},
        "map": {"neighbors": 5, "perplexity": 5, "images": 40},
    }
    return PrototypesParams.model_validate(values | changed)


def candidates_of(labels: np.ndarray, *, spread: float = 0.1, seed: int = 0) -> Candidates:
    """Images around a direction of their own for each cluster, the same in the reduced space."""
    random = np.random.default_rng(seed)
    embeddings = 3 * np.eye(10)[labels % 10] + random.normal(0, spread * 3, (len(labels), 10))
    return Candidates(embeddings, embeddings, labels, random.uniform(0, 0.1, len(labels)))


def findings_of(patterns: int = 2, **changed: object) -> Findings:
    """Findings about a model that tells 7 from 1, with measures that can be told apart."""
    measures = {
        name: Measured(value=0.1 * i, low=0.1 * i - 0.05, high=0.1 * i + 0.05, n=200)
        for i, name in enumerate(MEASURES, start=1)
    }
    values: dict[str, object] = {
        "source": "digits",
        "positive": "7",
        "negative": "1",
        "kind": "cnn, filters 2",
        "weights": 293,
        "train_images": 800,
        "test_images": 200,
        "errors": 4,
        "errors_near_p": 0.4,
        "band": 0.1,
        "temperature": 0.5,
        "generator": "hybrid",
        "rule": "knee",
        "made": 8000,
        "borderline_images": 1000,
        "noise": 0.0 if patterns else None,
        "recipe": "pca + kmeans" if patterns else "",
        "judges": 3,
        "measures": measures,
        "patterns": [
            Pattern(
                prototype=i,
                cluster=i,
                images=600 // (i + 1),
                share=0.6 / (i + 1),
                stability=0.5,
                p=0.5,
                near=10,
                errors=i,
                partners=2,
                repeats=3,
                found_again=0.9,
                verdict="weakness",
                verdict_share=0.74,
                verdict_low=0.7,
                verdict_high=0.78,
                verdict_shares={"weakness": 0.74, "undecided": 0.26},
            )
            for i in range(patterns)
        ],
        "shown": "medoid" if patterns else "",
        "validation": ["The medoids are found again."] if patterns else [],
        "attributions": ["Saliency: true."] if patterns else [],
        "abstaining": ["Abstaining by confidence avoids all errors."],
        "doubts": [],
        "cluster_doubts": [],
        "note": "" if patterns else "only 3 of 30 borderline images",
    }
    return Findings.model_validate(values | changed)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """The address of a server of S3's kind on this machine."""
    # A line for each of 2000 requests, in colour, would take longer than to answer them.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def chromium(browser: WebDriver) -> Iterator[WebDriver]:
    """A browser without a screen; what a test opened does not go on while others run."""
    yield browser
    browser.get("about:blank")


@pytest.fixture(scope="session")
def browser() -> Iterator[WebDriver]:
    program = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("Chromium and its driver are not installed")
    options = ChromeOptions()
    options.binary_location = program
    for argument in (
        *("headless=new", "no-sandbox", "disable-gpu", "disable-background-networking"),
        *("no-first-run", "disable-component-update", "disable-sync", "disable-quic"),
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with webdriver.Chrome(options=options, service=ChromeService(driver)) as opened:
        yield opened


def open_page(chromium: WebDriver, address: str, width: int = 1280, height: int = 900) -> None:
    """Open an address in a window of this size."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    chromium.get_log("browser")  # what other pages said
    chromium.get(address)
    wait_until_loaded(chromium)


def wait_until_loaded(chromium: WebDriver) -> None:
    """Wait for the whole page: the driver may return before the page's script has run."""
    ready = "return document.readyState === 'complete'"
    WebDriverWait(chromium, 60).until(lambda page: page.execute_script(ready))


def copy_project(folder: Path) -> Path:
    """A project of its own, so that a test's run touches nothing else.

    Its code is that of the package, as in a project whose package is installed.
    """
    shutil.copytree(ROOT / "conf", folder / "conf")
    (folder / "src").mkdir()
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder)
    return folder


def copy_code(project: Path) -> None:
    """Give a project code of its own, which its processes use in place of the package's.

    Python need not compile again what stays the same. Other processes may be writing ``*.pyc.*``.
    """
    hidden = shutil.ignore_patterns("*.pyc.*", "*.egg-info")
    shutil.copytree(ROOT / "src", project / "src", ignore=hidden, dirs_exist_ok=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return copy_project(tmp_path / "project")


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """The file that an attack leaves if its code runs."""
    return tmp_path / "was_run"


@cache
def start_kedro() -> None:
    """Configure Kedro in this process; all copies of the project have the same settings."""
    bootstrap_project(ROOT)


def loader_of(conf: Path, environment: str | None, **changed: Any) -> config_loader.ConfigLoader:
    """The project's loader of a folder ``conf``, with these ``--params``."""
    from borderline.settings import CONFIG_LOADER_ARGS

    return config_loader.ConfigLoader(
        str(conf), env=environment, runtime_params=changed, **CONFIG_LOADER_ARGS
    )


def run_here(project: Path, *arguments: str, drawn: bool = False) -> Result:
    """``kedro run`` in this process, which starts, and compiles UMAP, only once."""
    return kedro_here(project, "run", *arguments, drawn=drawn)


def kedro_here(project: Path, *arguments: str, drawn: bool = False) -> Result:
    """A command of the project in this process.

    Its figures are made and saved, but matplotlib leaves the files blank unless ``drawn``: to draw
    them takes a fifth of a run, and few tests look at them.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        if not drawn:
            patch.setattr(Figure, "draw", lambda *_: None)
        start_kedro()
        threads = torch.get_num_threads()
        try:
            return CliRunner().invoke(cli, arguments)
        finally:
            torch.set_num_threads(threads)  # UMAP sets it


def kedro_run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``kedro run`` in a process of its own."""
    return subprocess.run(
        kedro_run_command(*arguments), cwd=project, capture_output=True, text=True, check=False
    )


def kedro_run_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "kedro", "run", *arguments]


def cut_short(project: Path) -> Path:
    """Leave one model, some generators and quick clusters to the test environment."""
    path = project / "conf/test/parameters.yml"
    settings = yaml.safe_load(path.read_text())
    settings["grid"] = {"models": [MODELS[0]], "generators": list(FEW_GENERATORS)}
    settings["clustering"] |= QUICK_CLUSTERS
    for training in (settings["gan"], settings["generators"]["gasten_10"]):
        training["epochs"] = LONG_ENOUGH
    settings["judge_kinds"]["lenet"]["members"] = 1
    path.write_text(yaml.safe_dump(settings))
    return project


def models_folder(project: Path) -> Path:
    return project / "data/test/06_models" / _CASE


def reporting_folder(project: Path) -> Path:
    return project / "data/test/08_reporting" / _CASE


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes projects that all workers share, and so only look at."""
    mine = tmp_path_factory.getbasetemp()
    folder = mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine

    def make(
        name: str, prepare: Callable[[Path], Path], *arguments: str, drawn: bool = False
    ) -> Path:
        project = folder / name
        with FileLock(folder / f"{name}.lock"):
            if not (project / "output.txt").exists():
                shutil.rmtree(project, ignore_errors=True)
                result = run_here(prepare(project), *arguments, drawn=drawn)
                assert result.exit_code == 0, result.output
                (project / "output.txt").write_text(result.stdout)
        return project

    return make


@pytest.fixture(scope="session")
def whole(once: Callable[..., Path]) -> Path:
    """A project after one uninterrupted run."""
    with mpl.rc_context({"savefig.dpi": "figure"}):
        return once("whole", copy_project, "--env", "test", "--params", SETTINGS, drawn=True)


@pytest.fixture(scope="session")
def short(once: Callable[..., Path]) -> Path:
    """A project that is cut short after one uninterrupted run."""
    return once("short", lambda folder: cut_short(copy_project(folder)), "--env", "test")


@pytest.fixture
def again(whole: Path, tmp_path: Path) -> Path:
    """The whole project once more, to write into: others look at the first."""
    return Path(shutil.copytree(whole, tmp_path / "project"))


def assert_same_tables(expected: Path, found: Path, *, least: int) -> None:
    """Every table of the second folder is in the first, with the same text but for seconds."""
    tables = {path.relative_to(found) for path in found.rglob("*.csv")}
    assert len(tables) >= least
    for table in tables:
        one, other = (
            pd.read_csv(folder / table, dtype=str).drop(columns="seconds", errors="ignore")
            for folder in (expected, found)
        )
        assert one.equals(other), table
