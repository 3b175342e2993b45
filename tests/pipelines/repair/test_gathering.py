"""The nodes that gather the images of a repair: what they see of the test images."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from borderline.committee import Committee
from borderline.datasets.image_source import SourceImages
from borderline.errors import BorderlineError
from borderline.findings import digest_of_patterns
from borderline.measures.leaks import check_not_held_out
from borderline.params import PairParams, RunParams
from borderline.pipelines.repair import nodes
from borderline.records import LabelledImages
from borderline.training.epochs import split_validation
from borderline.training.params import TrainingParams
from borderline.training.reserve import split_reserve
from borderline.verdicts.params import VerdictsParams
from conftest import BOUNDARY, base_settings
from repairs import repair_params
from shades import SHAPE, Brightness, Near

TRAINING = TrainingParams(
    epochs=1, batch_size=8, learning_rate=0.1, validation_share=0.5, patience=1
)
VERDICTS = VerdictsParams.model_validate(base_settings()["verdicts"])


class Sure(nn.Module):
    """A judge that is sure: bright images are positive."""

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1).mean(1, keepdim=True)

    def forward(self, images: Tensor) -> Tensor:
        return 1e6 * self.embed(images) * torch.tensor([-1.0, 1.0])


def shaded(levels: Tensor) -> Tensor:
    return levels[:, None, None, None].expand(-1, *SHAPE).contiguous()


class NoClusters:
    def assign(self, embeddings: Any) -> Any:
        return [-1] * len(embeddings), None, None


@pytest.fixture
def inputs() -> dict[str, Any]:
    """The inputs of both nodes; the real images are all shades, the borderline ones nearly grey."""
    labels = torch.arange(120) % 2
    levels = torch.linspace(0.001, 1, 120) * (2 * labels - 1)
    train: LabelledImages = {"images": shaded(levels), "labels": labels}
    near = torch.linspace(-0.02, 0.02, 30)
    far = torch.full((9,), 99.0)
    verdicts = pd.DataFrame({"verdict": "weakness", "positive": (near > 0).double()})
    rows = torch.tensor([0, 29])
    return {
        "borderline": {"images": shaded(near), "probabilities": torch.sigmoid(4 * near)},
        "verdicts_table": verdicts.assign(negative=1 - verdicts["positive"]),
        "human_labels": {},
        "human_verdicts": {},
        "clusters": {"labels": torch.full((30,), -1)},
        "prototypes": {"images": shaded(near[rows]), "rows": rows},
        "pair_train": train,
        "test_copies": {"copies": torch.zeros(120, dtype=torch.bool)},
        "real_view": {"train_p": torch.sigmoid(4 * levels), "test_p": torch.zeros(2)},
        "boundary": BOUNDARY,
        "sampler": Near(),
        "classifier": Brightness(),
        "committee": Committee(members=(Sure(),), classes=("1", "7"), positive=1, negative=0),
        "judge": Sure(),
        "held_out": {
            **dict.fromkeys(("pixel_neighbour", "feature_neighbour"), far),
            **dict.fromkeys(("pixel_nearest", "feature_nearest"), -far),
            "train_features": levels[:, None],
        },
        "source": SourceImages("shades", ("1", "7"), train, train),
    }


def gather(inputs: dict[str, Any], run: RunParams, pair: PairParams, **changed: Any) -> Any:
    repair = repair_params("again", "boundary", "prototypes", "random", "uncertain", "soft")
    settings = {"repair": repair.model_copy(update={"images": 14, "fresh": 40}), "pair": pair}
    settings |= {"verdicts": VERDICTS, "training": TRAINING, "run": run}
    return nodes.gather_repair_images(**{**inputs, **settings, **changed})


def fresh_of(inputs: dict[str, Any], made: Any, run: RunParams, pair: PairParams) -> Any:
    named = ("borderline", "sampler", "classifier", "clusters", "prototypes", "pair_train")
    named += ("boundary", "committee", "judge", "held_out", "source")
    repair = repair_params("again", "boundary", fresh=40)
    return nodes.generate_fresh(
        repair_images=made,
        cluster_model=NoClusters(),
        **{name: inputs[name] for name in named},
        repair=repair,
        verdicts=VERDICTS,
        pair=pair,
        run=run,
    )


def test_arms_are_the_same_bits_with_other_test_images(
    inputs: dict[str, Any], run: RunParams, pair: PairParams
) -> None:
    first, table = gather(inputs, run, pair)
    assert {name: len(some) for name, some in first.items() if name.endswith("images")} == {
        "boundary.images": 30,
        "prototypes.images": 30,
        "random.images": 64,
        "uncertain.images": 30,
        "soft.images": 30,
    }
    inputs["real_view"]["test_p"] = torch.ones(5)
    inputs["source"] = SourceImages("shades", ("1", "7"), inputs["pair_train"], {})  # type: ignore[arg-type]
    other, _ = gather(inputs, run, pair)
    assert first.keys() == other.keys()
    assert all(torch.equal(first[name], other[name]) for name in first)
    assert table.groupby("images_of")["images"].sum().to_dict() == {
        "borderline images": 30,
        "random generated images": 64,
        "real images outside of the training": 30,
    }


def test_copies_of_test_images_are_added_by_no_arm_and_counted(
    inputs: dict[str, Any], run: RunParams, pair: PairParams
) -> None:
    made, _ = gather(inputs, run, pair)
    copied = made["uncertain.images"][[0, 3]]
    test: LabelledImages = {"images": copied, "labels": torch.zeros(2, dtype=torch.int64)}
    pools = {"uncertain": made["uncertain.images"]}
    with pytest.raises(BorderlineError, match="copies of a test image"):
        check_not_held_out(pools, {"test": copied})
    inputs["test_copies"] = nodes.find_test_copies(inputs["pair_train"], test)
    without, table = gather(inputs, run, pair)
    kept = [row for row in range(30) if row not in (0, 3)]
    assert torch.equal(without["uncertain.images"], made["uncertain.images"][kept])
    check_not_held_out({"uncertain": without["uncertain.images"]}, {"test": copied})
    real = table[table["label_source"] == "data set"].set_index("verdict")["images"]
    assert real.to_dict() == {"copies of test or selection images": 2, "real": 28}


def test_copies_of_selection_images_are_added_by_no_arm(
    inputs: dict[str, Any], run: RunParams, pair: PairParams
) -> None:
    train = inputs["pair_train"]
    _, validation = split_validation(train, TRAINING, run, "classifier")
    reserve, selection = split_reserve(train, validation, run)
    train["images"][reserve[:2]] = train["images"][selection[:2]]
    made, table = gather(inputs, run, pair)
    check_not_held_out(
        {"uncertain": made["uncertain.images"]}, {"selection": train["images"][selection]}
    )
    assert table["images"][table["label_source"] == "data set"].tolist() == [2, 28]


def test_labels_of_people_reach_the_arms(
    inputs: dict[str, Any], run: RunParams, pair: PairParams
) -> None:
    images = (inputs[name] for name in ("borderline", "clusters", "prototypes"))
    none = dict.fromkeys(("positive", "negative", "neither", "cannot_tell"), 0)
    answers = {"0": none | {"positive": 1}, "1": none | {"neither": 2}}
    inputs["human_labels"] = {"made_for": digest_of_patterns(*images), "answers": answers}
    made, table = gather(inputs, run, pair)
    assert len(made["boundary.images"]) == 29
    assert made["boundary.targets"][:2].tolist() == [1, 0]
    assert torch.equal(made["boundary.images"][1], inputs["borderline"]["images"][2])
    assert table["images"][table["label_source"] == "people"].tolist() == [1, 1]


def test_fresh_images_are_in_no_arm_and_may_have_no_pattern(
    inputs: dict[str, Any], run: RunParams, pair: PairParams
) -> None:
    made, _ = gather(inputs, run, pair)
    fresh = fresh_of(inputs, made, run, pair)
    assert len(fresh["images"]) == 40
    assert torch.equal(fresh["labels"], (fresh["images"].flatten(1).mean(1) > 0).long())
    assert fresh["patterns"].unique().tolist() == [-1]
    # One that an arm adds is no fresh one.
    made["random.images"] = torch.cat([made["random.images"], fresh["images"][:1]])
    again = fresh_of(inputs, made, run, pair)
    assert torch.equal(again["images"][:39], fresh["images"][1:])
