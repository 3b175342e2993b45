"""The nodes one after the other on tiny blobs, with everything there and with nothing."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from borderline.measures.inference import embed, predict
from borderline.params import RunParams
from borderline.pipelines.clustering.clusterings import Clustering
from borderline.pipelines.clustering.recipe import NoClusters, Recipe
from borderline.pipelines.clustering.reductions import Reduction
from borderline.pipelines.prototypes.choosing import nodes as choosing
from borderline.pipelines.prototypes.choosing.validation import COLUMNS
from borderline.pipelines.prototypes.explaining import nodes as explaining
from borderline.pipelines.prototypes.explaining.explanation import _COLUMNS
from borderline.pipelines.prototypes.mapping import nodes as mapping
from borderline.pipelines.prototypes.params import PrototypesParams
from borderline.pipelines.prototypes.usefulness import nodes as usefulness
from borderline.records import LabelledImages
from borderline.sampling import Parts, Sampler, make_part
from conftest import BOUNDARY, clustering_params, prototypes_params

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
        self,
        classifier: nn.Module,
        real: LabelledImages,
        images: int,
        run: RunParams,
        threshold: float,
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
    (borderline,) = sampler.sample(model, pair(), 80, run, 0.5)
    vectors = borderline["images"].flatten(1)
    recipe = Recipe(Reduction("pca", {"n_components": 2}), Clustering("kmeans", {"n_clusters": 2}))
    fitted = recipe.fit(vectors.numpy(), None, clustering_params(), run)
    assert fitted is not None
    labels = torch.from_numpy(fitted.clusters.labels) if clusters else torch.full((80,), -1)
    reduced = torch.from_numpy(fitted.points) if clusters else torch.zeros(80, 0)
    sizes = pd.DataFrame({"cluster": [0, 1], "images": [40, 40], "mean_p": 0.5, "stability": 0.9})
    test, train, cpu = pair(30), pair(), torch.device("cpu")
    made: dict[str, Any] = {
        "borderline": borderline,
        "embeddings": {"embeddings": vectors},
        "clusters": {"labels": labels, "reduced": reduced},
        "cluster_sizes_table": sizes if clusters else sizes[:0],
        "cluster_model": fitted if clusters else NoClusters(),
        "cluster_scores_table": NO_NOTE if clusters else NO_NOTE.assign(note="too few images"),
        "pair_train": train,
        "pair_test": test,
        "pair_names": {"source": "digits", "negative": "1", "positive": "7"},
        "pair_columns_table": pd.DataFrame({"pair_row": pd.Series(dtype=int)}),
        "real_view": {
            "train_p": predict(model, train["images"], cpu),
            "test_p": predict(model, test["images"], cpu),
            "train_embeddings": embed(model, train["images"], cpu),
            "test_embeddings": embed(model, test["images"], cpu),
        },
        "classifier": model,
        "judge": model,
        "sampler": sampler,
        "leaderboard_table": pd.DataFrame({"source": ["tiny", "other"], "chosen": [True, False]}),
    }
    parts_of_pool = {"tiny": vectors, "other": vectors[::2]}
    made["pool"] = {
        f"{name}.{field}": part
        for name, part in parts_of_pool.items()
        for field in ("embeddings", "features", "other_embeddings", "other_features")
    }
    given = {"prototypes": settings, "settings": settings, "run": run}
    made["boundary"] = BOUNDARY
    given |= {"gans": {"tiny": 1, "other": 1}}

    def call(function: Any) -> Any:
        return function(
            **{
                name: (given if parameter.kind is parameter.KEYWORD_ONLY else made)[name]
                for name, parameter in inspect.signature(function).parameters.items()
            }
        )

    def keep(names: str, values: tuple[Any, ...]) -> None:
        made.update(zip(names.split(), values, strict=True))

    keep(
        "selections prototypes prototypes_table criticisms_figure",
        call(choosing.select_prototypes),
    )
    made["places"] = call(mapping.place_images)
    keep(
        "real_borderline real_attributions real_borderline_figure",
        call(explaining.explain_real_images),
    )
    keep("map_figure map_chart", call(mapping.map_prototypes))
    parts: dict[str, Any] = {}
    for part, made["repeats_table"] in call(choosing.repeat_patterns):
        parts |= {name: lambda tensors=tensors: tensors for name, tensors in part.items()}
    made["repeats"] = parts
    keep("matches_table found_again_figure", call(choosing.match_prototypes))
    keep(
        "reproducibility_table comparisons_table reproducibility_figure",
        call(choosing.measure_reproducibility),
    )
    keep(
        "validation_table coverage_curves_table validation_figure coverage_chart",
        call(choosing.validate_prototypes),
    )
    keep(
        "attributions explanation_scores_table prototypes_figure faithfulness_figure",
        call(explaining.explain_prototypes),
    )
    made["words_table"] = call(explaining.describe_patterns)
    keep("tipping tipping_table tipping_figure", call(explaining.tip_prototypes))
    keep(
        "errors_near_patterns_table rejection_table rejection_figure",
        call(usefulness.evaluate_patterns),
    )
    return made


@pytest.fixture(scope="module")
def all_of_it() -> dict[str, Any]:
    return everything(prototypes_params(), RunParams(seed=0, device="cpu"))


def test_prototypes_are_rows_of_the_borderline_images(all_of_it: dict[str, Any]) -> None:
    made, rows = all_of_it, all_of_it["prototypes"]["rows"]
    assert torch.equal(made["prototypes"]["images"], made["borderline"]["images"][rows])
    assert made["prototypes_table"]["row"].tolist() == rows.tolist()
    assert made["prototypes_table"]["cluster"].tolist() == [0, 1]
    assert made["prototypes_table"]["images"].tolist() == [40, 40]
    assert made["clusters"]["labels"][rows].tolist() == [0, 1]
    assert set(made["selections"]) == {
        *("candidates", "criticisms", "medoid", "medoid_embedding", "k_medoids", "random"),
    }


def test_planted_patterns_are_found_again(all_of_it: dict[str, Any]) -> None:
    assert all_of_it["repeats_table"]["clusters"].tolist() == [2, 2]
    assert (all_of_it["repeats_table"]["ari"] > 0.9).all()
    assert (all_of_it["matches_table"]["similarity"] > 0.9).all()
    assert len(all_of_it["matches_table"]) == 4


def test_validation_has_a_sentence_a_row_and_a_curve_each(all_of_it: dict[str, Any]) -> None:
    table = all_of_it["validation_table"]
    assert list(table.columns) == [*COLUMNS, "says"]
    assert len(table) == 7 * (4 + 3)
    assert table["says"].str.endswith(".").all()
    assert {"radius", "medoid", "most_ambiguous", "random_low"} <= set(
        all_of_it["coverage_curves_table"]
    )


def test_explanations_are_tested(all_of_it: dict[str, Any]) -> None:
    table = all_of_it["explanation_scores_table"].set_index("method")
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


def test_real_borderline_images_are_explained_and_on_the_maps(all_of_it: dict[str, Any]) -> None:
    made, rows = all_of_it, all_of_it["real_borderline"]["rows"]
    p = made["real_view"]["test_p"]
    assert (len(rows), len(set(rows.tolist()))) == (5, 5), "of six real borderline images"
    assert ((p[rows] - 0.5).abs() < BOUNDARY["band"]).all()
    assert torch.equal(made["real_borderline"]["images"], made["pair_test"]["images"][rows])
    assert torch.equal(made["real_borderline"]["labels"], made["pair_test"]["labels"][rows])
    assert set(made["real_attributions"]) == set(made["attributions"])
    assert made["real_attributions"]["saliency"].shape == (5, 8, 8)
    shown = made["places"]["test_shown"]
    stars = [c for c in made["map_chart"].data if c.name == "random real borderline"]
    assert len(stars) == 2, "one a map"
    for of_map in stars:
        assert shown[[point[0] for point in of_map.customdata]].tolist() == rows.tolist()


def test_without_real_borderline_images_that_is_said(run: RunParams) -> None:
    made = everything(prototypes_params(real_borderline=0), run)
    assert len(made["real_borderline"]["rows"]) == 0
    assert all(len(maps) == 0 for maps in made["real_attributions"].values())
    assert "No real borderline images" in made["real_borderline_figure"].texts[0].get_text()
    assert "random real borderline" not in {t.name for t in made["map_chart"].data}


def test_every_figure_can_be_saved(all_of_it: dict[str, Any]) -> None:
    figures = [figure for figure in all_of_it.values() if _is_figure(figure)]
    assert len(figures) == 10
    for figure in figures:
        figure.savefig(BytesIO())


def _is_figure(value: object) -> bool:
    return isinstance(value, Figure)


def test_everything_repeats(all_of_it: dict[str, Any]) -> None:
    again = everything(prototypes_params(), RunParams(seed=0, device="cpu"))
    tables = [name for name in again if name.endswith("_table")]
    assert len(tables) == 16
    for name in tables:
        pd.testing.assert_frame_equal(all_of_it[name], again[name])
    for name in ("places", "attributions", "real_borderline", "real_attributions", "tipping"):
        for key, tensor in all_of_it[name].items():
            assert torch.equal(tensor, again[name][key]), (name, key)


def test_no_clusters_are_said_everywhere(run: RunParams) -> None:
    made = everything(prototypes_params(), run, clusters=False)
    assert len(made["prototypes"]["images"]) == 0
    for name in ("prototypes", "matches", "validation", "explanation_scores", "tipping", "words"):
        assert len(made[f"{name}_table"]) == 0, name
    assert made["coverage_curves_table"].columns.tolist() == ["radius"]
    assert made["explanation_scores_table"].columns.tolist() == list(_COLUMNS)
    assert made["repeats_table"]["note"].tolist() == ["there are no clusters to repeat"]
    assert made["rejection_table"]["abstains_by"].tolist() == ["confidence", "chance", "hindsight"]
    assert made["errors_near_patterns_table"]["cluster"].tolist() == ["any"]
    assert "too few images" in made["prototypes_figure"].texts[0].get_text()
    for figure in filter(_is_figure, made.values()):
        figure.savefig(BytesIO())


def test_images_without_latents_are_blended(run: RunParams) -> None:
    made = everything(prototypes_params(), run, with_latents=False)
    assert made["tipping_table"]["share"].isna().all()
    assert made["tipping_table"]["confident"].any()
    assert "blends" in made["tipping_figure"].get_suptitle()


def test_prototypes_over_all_clusters_may_be_shown(run: RunParams) -> None:
    made = everything(prototypes_params(shown="k_medoids"), run)
    assert len(made["prototypes"]["images"]) == 2
    assert set(made["prototypes_table"]["cluster"]) <= {0, 1}


def test_of_many_borderline_images_some_are_candidates(run: RunParams) -> None:
    made = everything(prototypes_params(images=50), run)
    assert len(made["selections"]["candidates"]) == 50
    assert set(made["prototypes"]["rows"].tolist()) <= set(
        made["selections"]["candidates"].tolist()
    )
    assert len(made["places"]["umap"]) == 50
    assert len(made["places"]["tsne"]) == 40


def test_repeats_that_fail_keep_their_numbers(all_of_it: dict[str, Any]) -> None:
    made = all_of_it
    failed = {"labels": torch.zeros(0, dtype=torch.long)}
    repeats = {"part_00000": lambda: failed, "part_00001": made["repeats"]["part_00001"]}
    settings, run = prototypes_params(), RunParams(seed=0, device="cpu")
    inputs = {name: made[name] for name in ("prototypes", "embeddings", "clusters")}
    table, figure = choosing.match_prototypes(**inputs, repeats=repeats, settings=settings, run=run)
    assert set(table["repeat"]) == {1}
    assert "repeat 1" in [ax.get_title() for ax in figure.axes]
    none = {"part_00000": lambda: failed}
    table, figure = choosing.match_prototypes(**inputs, repeats=none, settings=settings, run=run)
    assert len(table) == 0
    assert "no repeat gave clusters" in figure.texts[0].get_text()
