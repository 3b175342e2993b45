from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch_fidelity
from scipy.linalg import sqrtm
from torch import Tensor
from torch_fidelity.feature_extractor_base import FeatureExtractorBase
from torch_fidelity.metric_kid import kid_features_to_metric
from torch_fidelity.metric_prc import prc_features_to_metric

from borderline.measures.inference import embed
from borderline.measures.intervals import estimate_of_distinct, resample
from borderline.measures.realism import (
    Moments,
    RealStatistics,
    Reference,
    frechet_distance,
    is_realistic,
    judge_frechet,
    judge_realism,
    nearest,
    realism_scores,
)
from borderline.training.networks import Classifier, build_judge
from conftest import Pixels


def features(n: int, d: int, shift: float = 0.0) -> Tensor:
    random = torch.Generator().manual_seed(n)
    mixing = torch.randn(d, d, generator=random)
    return torch.randn(n, d, generator=random) @ mixing + shift


def distance(x: Tensor, y: Tensor) -> float:
    return frechet_distance(Moments.of(x), Moments.of(y))


def judged(x: Tensor, y: Tensor, k: int = 5, real_rows: Tensor | None = None) -> dict[str, float]:
    real = Reference.of(y, k)
    measures = judge_realism(x, real, k, resample(len(x), 20, 0), real_rows)
    return {name: e.value for name, e in (measures | {"fd": judge_frechet(x, real)}).items()}


def test_a_set_is_at_no_distance_from_itself() -> None:
    x = features(200, 8)
    assert distance(x, x) == pytest.approx(0, abs=1e-6)
    assert distance(x, x[torch.randperm(200)]) == pytest.approx(0, abs=1e-6)
    itself = judged(x, x)
    assert itself["fd"] == pytest.approx(0, abs=1e-6)
    assert (itself["precision"], itself["recall"], itself["coverage"]) == (1, 1, 1)


def test_a_shift_costs_its_square() -> None:
    x = features(300, 4)
    assert distance(x, x + 3) == pytest.approx(4 * 3**2, rel=1e-5)


@pytest.mark.parametrize("dead", [0, 3])
def test_agrees_with_the_formula_and_is_symmetric(dead: int) -> None:
    x, y = features(500, 16), features(400, 16, 1.0)
    # A unit of a ReLU layer that never fires.
    x[:, :dead], y[:, :dead] = 0, 0
    a, b = x.double().numpy(), y.double().numpy()
    covariance_a, covariance_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    mean = a.mean(0) - b.mean(0)
    root = sqrtm(covariance_a[dead:, dead:] @ covariance_b[dead:, dead:]).real
    expected = mean @ mean + np.trace(covariance_a + covariance_b) - 2 * np.trace(root)
    assert distance(x, y) == pytest.approx(expected, rel=1e-6)
    assert distance(y, x) == pytest.approx(expected, rel=1e-6)
    assert judged(x, y)["fd"] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n", [6, 8])
def test_no_more_images_than_dimensions_has_no_distance(n: int) -> None:
    few, many = features(200, 8)[:n], features(200, 8)
    assert math.isnan(distance(few, many))
    assert math.isnan(distance(many, few))
    for measures in (judged(few, many), judged(many, few)):
        assert math.isnan(measures["fd"])
        assert not math.isnan(measures["kd"])


def test_images_fewer_than_dimensions_need_no_matrix_of_the_dimensions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few, many = features(40, 3000), features(100, 3000)
    statistics, reference = RealStatistics.of(few), Reference.of(few, 5)
    for described in (statistics, reference):
        assert described.scatter.numel() == described.root.numel() == 0
        assert torch.allclose(described.mean, few.double().mean(0))
    monkeypatch.setattr(Moments, "of", lambda _: pytest.fail("a matrix of 3000 x 3000"))
    assert math.isnan(statistics.distance(many))
    assert math.isnan(judge_frechet(many, reference).value)


@pytest.mark.parametrize("n", [0, 1])
def test_hardly_any_image_has_no_distance(n: int) -> None:
    assert math.isnan(distance(features(200, 8)[:n], features(200, 8)))


@pytest.mark.parametrize("size", [1, 7, 64, 500])
def test_moments_do_not_depend_on_the_batches(size: int) -> None:
    # Far from 0, where a difference of large sums would lose its digits.
    x = features(500, 6, 1e4).double()
    whole = Moments.of(x)
    parts = Moments.of(x[:0])
    for part in x.split(size):
        parts += Moments.of(part)
    assert parts.n == 500
    assert torch.allclose(parts.mean, whole.mean, rtol=1e-12)
    expected = torch.from_numpy(np.cov(x.numpy(), rowvar=False))
    assert torch.allclose(parts.covariance, expected, rtol=1e-9)


class Lenet(FeatureExtractorBase):
    """Our judge as torch-fidelity wants it: colour images of 8 bits in, a tuple out."""

    network: Classifier

    def __init__(self, name: str, features_list: list[str], **_: object) -> None:
        super().__init__(name, features_list)

    @staticmethod
    def get_provided_features_list() -> tuple[str, ...]:
        return ("lenet",)

    @staticmethod
    def get_default_feature_layer_for_metric(metric: str) -> str:
        return "lenet"

    @staticmethod
    def can_be_compiled() -> bool:
        return False

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return (self.network.embed(pixels[:, :1].float() / 127.5 - 1),)


def test_agrees_with_torch_fidelity_on_the_same_images(monkeypatch: pytest.MonkeyPatch) -> None:
    random = torch.Generator().manual_seed(0)
    network = build_judge(10, (1, 12, 12)).eval()
    pixels = torch.randint(0, 256, (2, 300, 1, 12, 12), generator=random, dtype=torch.uint8)
    pixels[1, ..., :6] //= 2
    monkeypatch.setattr(Lenet, "network", network, raising=False)
    registry = torch_fidelity.registry.FEATURE_EXTRACTORS_REGISTRY
    monkeypatch.setitem(registry, "lenet", Lenet)
    theirs = torch_fidelity.calculate_metrics(
        input1=Pixels(pixels[0]),
        input2=Pixels(pixels[1]),
        feature_extractor="lenet",
        fid=True,
        kid=True,
        prc=True,
        kid_subsets=1,
        kid_subset_size=300,
        prc_neighborhood=5,
        cuda=False,
        save_cpu_ram=True,
        cache=False,
        verbose=False,
    )
    images = pixels.float() / 127.5 - 1
    x, y = (embed(network, part, torch.device("cpu")) for part in images)
    ours = judged(x, y)
    assert ours["fd"] == pytest.approx(theirs["frechet_inception_distance"], rel=1e-4)
    assert ours["kd"] == pytest.approx(theirs["kernel_inception_distance_mean"], abs=5e-7)
    assert ours["precision"] == pytest.approx(theirs["precision"])
    assert ours["recall"] == pytest.approx(theirs["recall"])


def test_kernel_distance_and_manifolds_agree_with_torch_fidelity_in_float64() -> None:
    x, y = features(150, 5, 0.5).double(), features(151, 5).double()[:150]
    kernel = kid_features_to_metric(
        x, y, kid_subsets=1, kid_subset_size=150, verbose=False, rng_seed=0
    )
    manifold = prc_features_to_metric(
        x, y, prc_neighborhood=3, prc_batch_size=64, save_cpu_ram=True, verbose=False
    )
    ours = judged(x, y, k=3)
    assert ours["kd"] == pytest.approx(kernel["kernel_inception_distance_mean"], rel=1e-9)
    assert ours["precision"] == pytest.approx(manifold["precision"])
    assert ours["recall"] == pytest.approx(manifold["recall"])


@pytest.mark.parametrize("k", [1, 5])
def test_manifold_measures_agree_with_brute_force(k: int) -> None:
    x, y = features(60, 4, 0.7).double().numpy(), features(90, 4).double().numpy()

    def ball(points: np.ndarray, row: int) -> float:
        others = [np.linalg.norm(points[row] - p) for j, p in enumerate(points) if j != row]
        return sorted(others)[k - 1]

    real, fake = [ball(y, j) for j in range(90)], [ball(x, i) for i in range(60)]
    inside = np.array(
        [[np.linalg.norm(x[i] - y[j]) <= real[j] for j in range(90)] for i in range(60)]
    )
    among = [any(np.linalg.norm(x[i] - y[j]) <= fake[i] for i in range(60)) for j in range(90)]
    ours = judged(torch.from_numpy(x), torch.from_numpy(y), k)
    assert 0 < ours["precision"] < 1
    assert ours["precision"] == pytest.approx(inside.any(1).mean())
    assert ours["recall"] == pytest.approx(np.mean(among))
    assert ours["density"] == pytest.approx(inside.sum() / (k * 60))
    assert ours["coverage"] == pytest.approx(inside.any(0).mean())


def test_noise_inside_a_wide_ball_is_not_realistic() -> None:
    random = torch.Generator().manual_seed(0)
    real, test = (torch.randn(300, 4, generator=random) for _ in range(2))
    # Two unusual real images, far from all others and from each other.
    real[:2] = torch.tensor([[30.0, 0, 0, 0], [0, 30.0, 0, 0]])
    noise = torch.tensor([12.0, 12, 0, 0]) + torch.randn(50, 4, generator=random)
    reference = Reference.of(real, 5)
    once = torch.ones(1, len(noise))
    assert judge_realism(noise, reference, 5, once)["precision"].value == 1
    assert not is_realistic(noise, reference, test).any()
    # The limit is that of 95 % of the test images.
    assert is_realistic(test, reference, test).double().mean() == pytest.approx(0.95, abs=0.01)
    assert not is_realistic(real, reference, test)[:2].any()


def test_realism_scores_are_those_of_the_definition() -> None:
    random = torch.Generator().manual_seed(1)
    real, images = (torch.randn(n, 3, generator=random).double() for n in (21, 1500))
    reference = Reference.of(real, 2)
    smaller = reference.radii.argsort()[:11].numpy()
    gaps = np.linalg.norm(real.numpy()[:, None] - images.numpy()[None], axis=2)
    expected = (reference.radii.numpy()[:, None] / gaps)[smaller].max(0)
    np.testing.assert_allclose(realism_scores(images, reference), expected)


@pytest.mark.parametrize("repeated", [8, 200])
def test_repeated_real_images_leave_the_realism_of_others_as_it_is(repeated: int) -> None:
    random = torch.Generator().manual_seed(0)
    real, test = (torch.randn(300, 4, generator=random) for _ in range(2))
    real[:repeated] = test[0] = 0
    reference, far = Reference.of(real, 5), torch.full((3, 4), 50.0)
    assert is_realistic(test, reference, test).double().mean() == pytest.approx(0.95, abs=0.01)
    assert not is_realistic(far, reference, test).any()


def test_where_all_real_images_are_repeated_only_copies_are_realistic() -> None:
    real, images = torch.zeros(20, 3), torch.tensor([[0.0, 0, 0], [1, 0, 0]])
    assert is_realistic(images, Reference.of(real, 5), images).tolist() == [True, False]


def test_real_images_do_not_count_as_near_themselves() -> None:
    y = features(100, 4).double()
    y[2] += 1000
    real_rows = torch.tensor([*range(0, 40, 2), -1])
    x = torch.cat([y[real_rows[:-1]], y[:1] + 1e5])
    distances = torch.cdist(y, y)
    balls = distances.sort(1).values[:, 3] * (1 + 1e-9)
    reached = (distances <= balls[:, None]) & ~torch.eye(100, dtype=torch.bool)
    ours = judged(x, y, 3, real_rows)
    assert ours["precision"] == pytest.approx(reached.any(0)[:40:2].sum().item() / 21)
    assert ours["density"] == pytest.approx(reached.sum(0)[:40:2].sum().item() / (3 * 21))
    assert ours["coverage"] == pytest.approx(reached[:, :40:2].any(1).double().mean().item())
    assert ours["precision"] < judged(x, y, 3)["precision"] == pytest.approx(20 / 21)
    kernel = ((x @ y.T) / 4 + 1) ** 3
    among, real = (((z @ z.T) / 4 + 1) ** 3 for z in (x, y))
    itself = torch.zeros_like(kernel, dtype=torch.bool)
    itself[torch.arange(20), real_rows[:-1]] = True
    across = (kernel.masked_fill(itself, 0).sum(1) / (~itself).sum(1)).mean()
    pairs = [(k.sum() - k.trace()) / (len(k) * (len(k) - 1)) for k in (among, real)]
    assert ours["kd"] == pytest.approx((sum(pairs) - 2 * across).item(), rel=1e-9)


def test_intervals_hold_their_value_and_shrink_with_n() -> None:
    y = features(600, 6).double()
    reference = Reference.of(y, 5)
    width = {}
    for n in (100, 400):
        x = features(1000 + n, 6, 0.3).double()[:n]
        measures = judge_realism(x, reference, 5, resample(n, 200, 0))
        measures["fd"] = judge_frechet(x, reference)
        for name, estimate in measures.items():
            assert estimate.low <= estimate.value <= estimate.high, name
        width[n] = {name: e.high - e.low for name, e in measures.items()}
    for name in ("fd", "kd", "precision", "density"):
        assert width[400][name] < 0.75 * width[100][name], name


@pytest.mark.parametrize("neighbours", [1, 3, 12])
@pytest.mark.parametrize("itself", [False, True])
def test_interval_of_recall_is_that_of_all_pairs_of_images(neighbours: int, itself: bool) -> None:
    real = features(40, 3)
    x = real[:20] if itself else features(25, 3, shift=0.5)
    rows, weights = torch.arange(len(x)) if itself else None, resample(len(x), 30, 0)
    ours = judge_realism(x, Reference.of(real, neighbours), neighbours, weights, rows)["recall"]

    gaps = torch.cdist(real.double(), x.double())
    if itself:
        gaps[torch.arange(20), torch.arange(20)] = math.inf
    distances, nearest_rows = nearest(x.double(), min(8 * neighbours + 24, len(x) - 1))
    replicates = []
    for present in weights > 0:
        at = (present[nearest_rows].cumsum(1) < neighbours).sum(1).clamp(max=len(distances[0]) - 1)
        radii = distances.gather(1, at[:, None])[:, 0] * (1 + 1e-9)
        replicates.append(((gaps <= radii) & present).any(1).double().mean())
    expected = estimate_of_distinct(ours.value, torch.stack(replicates), len(x)).within(0, 1)
    assert ours == expected
