from __future__ import annotations

import torch
from torch import Tensor, nn

from borderline.fingerprints import EARLIER, NOISE_DIGEST, REFERENCE
from borderline.measures.realism import RealStatistics
from borderline.params import PairParams, RunParams
from borderline.pipelines.gasten.nodes import train_gan
from borderline.records import LabelledImages
from conftest import gan_params


class Halves(nn.Module):
    """A judge whose features are the brightness of both halves of an image."""

    def embed(self, images: Tensor) -> Tensor:
        return torch.stack([half.mean((1, 2, 3)) for half in images.chunk(2, dim=3)], dim=1)


def test_step_1_is_measured_and_stopped_by_inception(
    pair_images: LabelledImages, pair: PairParams, run: RunParams
) -> None:
    features = Halves().embed(pair_images["images"])
    stop = {"metric": "fid", "patience": 9}
    small = {"epochs": 1, "steps_per_epoch": 1, "latent_dim": 2, "batch_size": 2}
    measured = {
        "pair_train": pair_images,
        "test_noise": {"latents": torch.randn(5, 2)},
        "judge": Halves(),
        "real_features": {"features": features, "test_features": features},
        "checkpoints_so_far": {},
        "gan": gan_params(early_stopping=stop, **small),
        "pair": pair,
        "run": run,
    }
    usual = list(train_gan(**measured))[-1]
    assert "fid" not in usual[1]
    (made,) = usual[0].values()
    assert not EARLIER.keys() & made["settings"].keys()

    statistics = RealStatistics.of(features + 1).record("inception")
    others = {"real_statistics": statistics | {"lenet.features": features + 1}}
    settings = {"epoch_reference": "all", "noise_path": "z.npy"}
    epoch = list(train_gan(**measured, **others, inception=Halves(), **settings))[-1]
    (row,) = epoch[1].to_dict("records")
    assert row["fid"] == row["fd_lenet"] != usual[1]["fd_lenet"].item()
    (made,) = epoch[0].values()
    assert made["settings"][REFERENCE] == "all"
    assert made["settings"][NOISE_DIGEST] == made["settings"]["test noise digest"]
