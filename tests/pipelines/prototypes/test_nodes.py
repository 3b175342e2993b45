"""The nodes one after the other on tiny blobs, with everything there and with nothing."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.grid import Grid
from borderline.params import ConfusionParams, RunParams
from borderline.pipelines.clustering.clusterings import Clustering
from borderline.pipelines.clustering.recipe import NoClusters, Recipe
from borderline.pipelines.clustering.reductions import Reduction
from borderline.pipelines.prototypes import summary as summaries
from borderline.pipelines.prototypes.choosing import nodes as choosing
from borderline.pipelines.prototypes.choosing.validation import COLUMNS
from borderline.pipelines.prototypes.explaining import nodes as explaining
from borderline.pipelines.prototypes.mapping import nodes as mapping
from borderline.pipelines.prototypes.params import PrototypesParams
from borderline.pipelines.prototypes.usefulness import nodes as usefulness
from borderline.records import LabelledImages
from borderline.sampling import Parts, Sampler, make_part
from conftest import prototypes_params

BAND = ConfusionParams(band=0.1)
NO_NOTE = pd.DataFrame({"note": [""], "doubts": [""]})


class Decoder(nn.Module):
    """Two latents choose the pattern, the others the noise and how bright the image is."""

    latent_dim = 5

    def forward(self, latents: Tensor) -> Tensor:
        images = torch.zeros(len(latents), 1, 8, 8)
        images[:, 0, :4, :4] = torch.sigmoid(8 * latents[:, 0])[:, None, None]
        images[:, 0, 4:, 4:] = torch.sigmoid(-8 * latents[:, 0])[:, None, None]
        images[:, 0, :4, 4:] = 0.2 * torch.tanh(latents[:, 1:2])[:, :, None]
        images[:, 0, 4:, :4] = 0.2 * torch.tanh(latents[:, 2:3])[:, :, None]
        return images


class Model(nn.Module):
    """Unsure of what the decoder makes, unless the last quarters are very bright."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 1, bias=False)
        weights = torch.zeros(1, 1, 8, 8)
        weights[:, :, :4, 4:], weights[:, :, 4:, :4] = 0.9, -0.9
        self.head.weight = nn.Parameter(weights.flatten(1))

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.embed(images))[:, 0]


@dataclass(frozen=True, kw_only=True)
class TinySampler(Sampler):
    with_latents: bool = True

    def sample(
        self, classifier: nn.Module, real: LabelledImages, images: int, run: RunParams
    ) -> Parts:
        latents = torch.randn(images, 5, generator=run.generator("tiny"))
        latents[:, 1:3] *= 0.1
        part = make_part(Decoder(), classifier, latents, torch.device("cpu"))
        yield part if self.with_latents else {n: t for n, t in part.items() if n != "latents"}
        return ""

    @property
    def decoder(self) -> nn.Module | None:
        return Decoder() if self.with_latents else None


def pair(count: int = 40) -> LabelledImages:
    random = torch.Generator().manual_seed(3)
    latents = torch.randn(count, 5, generator=random)
    labels = torch.arange(count) % 2
    latents[:, 1] = 2.0 * (2 * labels - 1)
    latents[:, 2] = -latents[:, 1]
    latents[:6, 1:3] = 0.01
    return {"images": Decoder()(latents), "labels": labels}


def everything(
    settings: PrototypesParams, run: RunParams, *, clusters: bool = True, with_latents: bool = True
) -> dict[str, Any]:
    """What the stages before leave, and what each node of this one makes of it."""
    model, sampler = Model(), TinySampler(with_latents=with_latents)
    (borderline,) = sampler.sample(model, pair(), 80, run)
    vectors = borderline["images"].flatten(1)
    recipe = Recipe(Reduction("pca", {"n_components": 2}), Clustering("kmeans", {"n_clusters": 2}))
    found = recipe.fit(vectors.numpy(), None, 50, run)
    assert found is not None
    labels = torch.from_numpy(found.clusters.labels) if clusters else torch.full((80,), -1)
    reduced = torch.from_numpy(found.points) if clusters else torch.zeros(80, 0)
    sizes = pd.DataFrame({"cluster": [0, 1], "images": [40, 40], "mean_p": 0.5, "stability": 0.9})
    made: dict[str, Any] = {
        "borderline": borderline,
        "embeddings": {"embeddings": vectors},
        "clusters": {"labels": labels, "reduced": reduced},
        "cluster_sizes": sizes if clusters else sizes[:0],
        "cluster_model": found if clusters else NoClusters(),
        "cluster_scores": NO_NOTE if clusters else NO_NOTE.assign(note="too few images"),
        "real_patterns": pd.DataFrame({"row": [0, 1], "p": [0.5, 0.5], "cluster": [0, 1]}),
        "pair_train": pair(),
        "pair_test": pair(30),
        "classifier": model,
        "sampler": sampler,
        "settings": settings,
        "confusion": BAND,
        "run": run,
    }

    def call(function: Any, *names: str) -> Any:
        return function(**{name: made[name] for name in names})

    own = ("settings", "run")
    made["selections"], made["prototypes"], made["prototype_table"], made["criticisms"] = call(
        choosing.select_prototypes, "borderline", "embeddings", "clusters", "cluster_sizes", *own
    )
    made["places"] = call(
        mapping.place_images, "embeddings", "selections", "pair_test", "classifier", *own
    )
    made["map"], made["page"] = call(
        mapping.map_prototypes,
        *("borderline", "clusters", "selections", "places", "pair_test", "classifier", *own),
    )
    parts: dict[str, Any] = {}
    for part, made["repeat_table"] in call(
        choosing.repeat_patterns,
        *("sampler", "classifier", "pair_train", "embeddings", "cluster_model", "cluster_sizes"),
        *("confusion", *own),
    ):
        parts |= {name: lambda tensors=tensors: tensors for name, tensors in part.items()}
    made["repeats"] = parts
    made["matches"], made["found_again"] = call(
        choosing.match_prototypes, "prototypes", "embeddings", "repeats", *own
    )
    made["validation"], made["curves"], made["chart"], made["coverage"] = call(
        choosing.validate_prototypes,
        *("borderline", "embeddings", "clusters", "selections", "places", "repeats", "pair_test"),
        *("classifier", "cluster_model", "confusion", *own),
    )
    made["attributions"], made["explanations"], made["sheet"], made["faithful"] = call(
        explaining.explain_prototypes,
        *("prototypes", "prototype_table", "cluster_scores", "pair_train", "classifier", *own),
    )
    made["tipping"], made["tipping_table"], made["strips"] = call(
        explaining.tip_prototypes,
        *("prototypes", "embeddings", "pair_train", "classifier", "sampler", *own),
    )
    made["sheets"] = call(
        explaining.draw_cluster_sheets,
        *("borderline", "embeddings", "clusters", "prototypes", "prototype_table", "attributions"),
        *("tipping", "tipping_table", "real_patterns", "pair_train", "pair_test", "settings"),
    )
    made["errors"], made["rejection"], made["risk"] = call(
        usefulness.evaluate_patterns,
        *("prototypes", "embeddings", "selections", "cluster_model", "cluster_sizes", "pair_test"),
        *("classifier", "run"),
    )
    return made


@pytest.fixture(scope="module")
def all_of_it() -> dict[str, Any]:
    return everything(prototypes_params(), RunParams(seed=0, device="cpu"))


def test_prototypes_are_rows_of_the_borderline_images(all_of_it: dict[str, Any]) -> None:
    made, rows = all_of_it, all_of_it["prototypes"]["rows"]
    assert torch.equal(made["prototypes"]["images"], made["borderline"]["images"][rows])
    assert made["prototype_table"]["row"].tolist() == rows.tolist()
    assert made["prototype_table"]["cluster"].tolist() == [0, 1]
    assert made["prototype_table"]["images"].tolist() == [40, 40]
    assert made["clusters"]["labels"][rows].tolist() == [0, 1]
    assert set(made["selections"]) == {
        *("candidates", "criticisms", "medoid", "medoid_embedding", "k_medoids", "random"),
    }


def test_planted_patterns_are_found_again(all_of_it: dict[str, Any]) -> None:
    assert all_of_it["repeat_table"]["clusters"].tolist() == [2, 2]
    assert (all_of_it["repeat_table"]["ari"] > 0.9).all()
    assert (all_of_it["matches"]["similarity"] > 0.9).all()
    assert len(all_of_it["matches"]) == 4


def test_validation_has_a_sentence_a_row_and_a_curve_each(all_of_it: dict[str, Any]) -> None:
    table = all_of_it["validation"]
    assert list(table.columns) == [*COLUMNS, "says"]
    assert len(table) == 7 * (4 + 3)
    assert table["says"].str.endswith(".").all()
    assert {"radius", "medoid", "most_ambiguous", "random_low"} <= set(all_of_it["curves"])


def test_explanations_are_tested(all_of_it: dict[str, Any]) -> None:
    table = all_of_it["explanations"].set_index("method")
    assert list(table.index) == ["gradient_shap", "saliency", "integrated_gradients", "occlusion"]
    assert (table["agreement"] > 0.95).all()
    assert table["deletion_p"].between(0.05, 1).all()
    assert all_of_it["attributions"]["occlusion"].shape == (2, 8, 8)


def test_walks_reach_both_sides(all_of_it: dict[str, Any]) -> None:
    table, tensors = all_of_it["tipping_table"], all_of_it["tipping"]
    assert table["towards"].tolist() == ["negative", "positive"] * 2
    assert tensors["walks"].shape == (2, 5, 1, 8, 8)
    assert torch.allclose(tensors["walks"][:, 2], all_of_it["prototypes"]["images"])
    assert table["confident"].all()
    assert (tensors["walks_p"][:, 0] < 0.12).all()
    assert (tensors["walks_p"][:, -1] > 0.88).all()
    labels = all_of_it["pair_train"]["labels"]
    assert (labels[tensors["real_rows"][:, 0]] == 0).all()
    assert (labels[tensors["real_rows"][:, 1]] == 1).all()
    assert table["share"].to_numpy() == pytest.approx(table["length"].to_numpy() / 10**0.5)


def test_every_cluster_has_a_sheet_and_every_figure_can_be_saved(all_of_it: dict[str, Any]) -> None:
    assert list(all_of_it["sheets"]) == ["cluster_00_prototype_00", "cluster_01_prototype_01"]
    figures = [*all_of_it["sheets"].values(), *(f for f in all_of_it.values() if _is_figure(f))]
    assert len(figures) == 10
    for figure in figures:
        figure.savefig(BytesIO())


def _is_figure(value: object) -> bool:
    return isinstance(value, Figure)


def test_everything_repeats(all_of_it: dict[str, Any]) -> None:
    again = everything(prototypes_params(), RunParams(seed=0, device="cpu"))
    for name in ("validation", "matches", "explanations", "tipping_table", "rejection", "errors"):
        pd.testing.assert_frame_equal(all_of_it[name], again[name])
    for name in ("places", "attributions", "tipping"):
        for key, tensor in all_of_it[name].items():
            assert torch.equal(tensor, again[name][key]), (name, key)


def test_no_clusters_are_said_everywhere(run: RunParams) -> None:
    made = everything(prototypes_params(), run, clusters=False)
    assert len(made["prototypes"]["images"]) == 0
    for name in ("prototype_table", "matches", "validation", "explanations", "tipping_table"):
        assert len(made[name]) == 0, name
    assert made["sheets"] == {}
    assert made["repeat_table"]["note"].tolist() == ["there are no clusters to find again"]
    assert made["rejection"]["abstains_by"].tolist() == ["confidence", "chance", "hindsight"]
    assert made["errors"]["cluster"].tolist() == ["any"]
    assert "too few images" in made["sheet"].texts[0].get_text()
    for figure in filter(_is_figure, made.values()):
        figure.savefig(BytesIO())


def test_images_without_latents_are_blended(run: RunParams) -> None:
    made = everything(prototypes_params(), run, with_latents=False)
    assert made["tipping_table"]["share"].isna().all()
    assert made["tipping_table"]["confident"].any()
    assert "blend" in made["strips"].get_suptitle()


def test_prototypes_over_all_clusters_may_be_shown(run: RunParams) -> None:
    made = everything(prototypes_params(shown="k_medoids"), run)
    assert len(made["sheets"]) == 2
    assert set(made["prototype_table"]["cluster"]) <= {0, 1}


def test_of_many_borderline_images_some_are_candidates(run: RunParams) -> None:
    made = everything(prototypes_params(images=50), run)
    assert len(made["selections"]["candidates"]) == 50
    assert set(made["prototypes"]["rows"].tolist()) <= set(
        made["selections"]["candidates"].tolist()
    )
    assert len(made["places"]["umap"]) == 50
    assert len(made["places"]["tsne"]) == 40


def tables(model: str, note: str | None) -> list[pd.DataFrame]:
    board = pd.DataFrame(
        {
            "source": ["x", "y"],
            "images": [100, 100],
            "borderline": [3, 40],
            "yield": [0.03, 0.4],
            "acd": [0.4, 0.2],
            "fd_lenet_n": [90, 90],
            "fd_lenet": [1.0, 2.0],
            "fd_lenet_borderline_n": [None, 40],
            "fd_lenet_borderline": [None, 3.0],
            "chosen": [False, True],
        }
    )
    scores = {"silhouette": 0.5, "davies_bouldin": 1.0, "ari_resamples": 0.7, "structure_p": 0.05}
    validation = {
        "chosen_by": ["medoid", "medoid", "random_borderline"],
        "measure": ["coverage_area", "stability", "stability"],
        "value": [0.6, 0.9, 0.8],
        "p_value": [0.001, 0.4, np.nan],
        **{name: [0.002, 0.5, np.nan] for name in ("q_value", "q_value_of_labels")},
        "q_value_of_cluster": np.nan,
        "note": ["", "", ""],
    }
    return [
        pd.DataFrame({"accuracy": [0.9 if model == "a" else 0.8]}),
        board,
        pd.DataFrame([scores | {"doubts": None, "note": note}]).astype({"doubts": object}),
        pd.DataFrame({"row": [1, 2, 3]}),
        pd.DataFrame(validation)[: 0 if note else 3],
        pd.DataFrame({"cluster": ["0", "any"], "share_of_errors": [0.1, 0.4]}),
    ]


def test_summary_has_a_row_a_model_with_the_chosen_generator() -> None:
    grid = Grid(models=("a", "b"), generators=("x", "y"), runs=1, judges=("lenet",))
    settings = prototypes_params()
    rows = [
        summaries.summarise_model(*tables(model, note), settings)
        for model, note in (("a", None), ("b", "too few"))
    ]
    summary = summaries.summarise(grid, *rows)
    assert summary["model"].tolist() == ["a", "b"]
    assert summary["accuracy"].tolist() == [0.9, 0.8]
    assert set(summary["generator"]) == {"y"}
    assert summary["borderline"].tolist() == [40, 40]
    assert summary["prototypes"].tolist() == [3, 3]
    assert summary["note"].tolist() == ["", "too few"]
    assert summary["coverage_p"].tolist() == pytest.approx([0.001, np.nan], nan_ok=True)
    assert summary["found_again"].tolist() == pytest.approx([0.9, np.nan], nan_ok=True)
    assert summary["errors_near"].tolist() == [0.4, 0.4]
    assert summary["doubts"].tolist() == [
        "as prototypes they are not surely better than random ones in stability over seeds, nor "
        "than the same choice from shuffled clusters in stability over seeds",
        "",
    ]


def test_repeats_that_fail_keep_their_numbers(all_of_it: dict[str, Any]) -> None:
    made = all_of_it
    failed = {"labels": torch.zeros(0, dtype=torch.long)}
    repeats = {"part_00000": lambda: failed, "part_00001": made["repeats"]["part_00001"]}
    table, figure = choosing.match_prototypes(
        made["prototypes"], made["embeddings"], repeats, made["settings"], made["run"]
    )
    assert set(table["repeat"]) == {1}
    assert "repeat 1" in [ax.get_title() for ax in figure.axes]
    table, figure = choosing.match_prototypes(
        made["prototypes"],
        made["embeddings"],
        {"part_00000": lambda: failed},
        made["settings"],
        made["run"],
    )
    assert len(table) == 0
    assert "no clusters with any other seed" in figure.texts[0].get_text()
