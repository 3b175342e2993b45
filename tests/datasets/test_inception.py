"""The judge of the FID, from a file of weights that is made here: random ones, in their format."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pandas as pd
import pytest
import torch
import torch_fidelity
from kedro.io import DatasetError
from torch_fidelity import feature_extractor_inceptionv3 as theirs

from borderline.datasets import InceptionDataset
from borderline.datasets import inception as inception_module
from borderline.grid import Grid
from borderline.measures.inception import Inception
from borderline.params import RunParams
from borderline.pipelines.classifier.nodes import view_real_images
from borderline.pipelines.metrics.nodes import (
    describe_model,
    describe_real_images,
    measure_generator,
    measure_realism,
)
from borderline.records import LabelledImages
from borderline.training.networks import build_judge, build_model
from conftest import BOUNDARY, Pixels, metrics_params


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *_, **__: None)
        network = theirs.FeatureExtractorInceptionV3("inception", ["2048"])
    # As in a trained network, features are of the order of 1 and not lost on the way.
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("conv.weight"):
                torch.nn.init.kaiming_normal_(weight)
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def digest(weights: Path) -> str:
    """What the file's name would have, were it the authors'."""
    return hashlib.sha256(weights.read_bytes()).hexdigest()[:8]


@pytest.fixture(scope="module")
def inception(weights: Path, digest: str) -> Inception:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inception_module, "SHA256", digest)
        return InceptionDataset(filepath=str(weights)).load()


def test_grey_images_are_judged_as_the_authors_extractor_does(
    inception: Inception, weights: Path
) -> None:
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (4, 1, 28, 28), generator=random, dtype=torch.uint8)
    network = theirs.FeatureExtractorInceptionV3(
        "x", ["2048"], feature_extractor_weights_path=str(weights)
    )
    ours = inception.embed(pixels.float() / 127.5 - 1)
    assert ours.shape == (4, 2048)
    assert torch.equal(ours, network(pixels.expand(-1, 3, -1, -1))[0])


def test_the_stage_runs_with_it_and_agrees_with_torch_fidelity(
    inception: Inception, weights: Path, pair_images: LabelledImages, run: RunParams
) -> None:
    random = torch.Generator().manual_seed(1)
    test = {name: tensor[:12] for name, tensor in pair_images.items()}
    training = {name: tensor[12:24] for name, tensor in pair_images.items()}
    # On the grid of 8 bits, which their side of the comparison has.
    generated, training["images"] = (
        ((x + 1) * 127.5).round() / 127.5 - 1
        for x in (torch.rand(12, 1, 12, 12, generator=random) * 2 - 1, training["images"])
    )
    part = {"images": generated, "probabilities": torch.full((12,), 0.5)}
    judge = build_judge(2, (1, 12, 12)).eval()
    classifier = build_model("cnn", 1, (1, 12, 12)).eval()
    grid = Grid(models=("m",), generators=("g",), runs=1, judges=("lenet", "inception"))
    metrics = metrics_params(sample_size=12, fewest_images=10, neighbours=3)
    features = {
        "features": judge.embed(training["images"]).detach(),
        "test_features": judge.embed(test["images"]).detach(),
    }
    networks = {"inception": inception, "pair_train": training, "pair_test": test}
    view = view_real_images(classifier, training, test, run=run)
    references = {
        "real_reference": describe_real_images(features, metrics=metrics, run=run, **networks),
        "model_reference": describe_model(view, grid=grid, metrics=metrics),
    }
    settings = {"grid": grid, "metrics": metrics, "boundary": BOUNDARY, "run": run}
    outcome = pd.DataFrame([{"images": 12, "seconds": 1.0, "note": ""}])
    calibration = pd.DataFrame([{"temperature": 1.0}])
    parts = {"part_00000": lambda: part}
    scores, _, sample = measure_generator(
        images=parts,
        outcome_table=outcome,
        calibration_table=calibration,
        **references,
        **settings,
        lenet=judge,
        inception=inception,
    )
    assert scores["fid"].isna().all(), "12 images are fewer than 2,048 dimensions"
    table = measure_realism(**references, real_view=view, **settings, **{"g.features": sample})
    table = table[(table["source"] == "g") & (table["images"] == "borderline")]
    figures = table[table["against"] == "real"].set_index("measure")
    assert "not more than the judge's 2048 features" in figures.loc["fid", "note"]
    assert set(figures["n"]) == {12}

    pixels = [((x + 1) * 127.5).round().to(torch.uint8) for x in (generated, training["images"])]
    expected = torch_fidelity.calculate_metrics(
        input1=Pixels(pixels[0]),
        input2=Pixels(pixels[1]),
        feature_extractor_weights_path=str(weights),
        feature_extractor="inception-v3-compat",
        kid=True,
        prc=True,
        kid_subsets=1,
        kid_subset_size=12,
        prc_neighborhood=3,
        cuda=False,
        save_cpu_ram=True,
        cache=False,
        verbose=False,
    )
    value = figures["value"]
    kid = expected["kernel_inception_distance_mean"]
    assert abs(kid) > 1e-3
    assert value["kid"] == pytest.approx(kid, rel=1e-3)
    assert value["precision_inception"] == pytest.approx(expected["precision"])
    assert value["recall_inception"] == pytest.approx(expected["recall"])


def test_an_empty_part_has_no_features(inception: Inception) -> None:
    assert inception.embed(torch.empty(0, 1, 28, 28)).shape == (0, 2048)


def test_a_file_of_other_weights_makes_no_fid_and_runs_no_code(
    tmp_path: Path, weights: Path
) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return Path.touch, (tmp_path / "harmed",)

    harmful, text = tmp_path / "harmful.pth", tmp_path / "text.pth"
    torch.save({"x": Harmful()}, harmful)
    text.write_text("hello world")
    for path in (harmful, text, weights):
        with pytest.raises(DatasetError, match="not the file of weights of 2015-12-05"):
            InceptionDataset(filepath=str(path)).load()
    assert not (tmp_path / "harmed").exists()


def test_weights_are_downloaded_once(
    tmp_path: Path, weights: Path, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inception_module, "SHA256", digest)
    prefixes: list[str] = []

    def download(url: str, target: str, hash_prefix: str) -> None:
        prefixes.append(hash_prefix)
        Path(target).write_bytes(weights.read_bytes())

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    for _ in range(2):
        assert isinstance(InceptionDataset().load(), Inception)
    assert prefixes == [digest]


def test_the_hash_is_that_of_the_authors_file() -> None:
    assert theirs.URL_INCEPTION_V3.endswith(f"-{inception_module.SHA256}.pth")


def test_a_cache_that_cannot_be_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "file"))
    with pytest.raises(DatasetError, match="the download of its weights failed"):
        InceptionDataset().load()
