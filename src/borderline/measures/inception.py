"""The judge of the FID: Inception v3 with the weights of 2015-12-05 (Heusel et al. 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

INCEPTION_FEATURES = 2048
# An image takes 12 MB on its way through the network.
_BATCH_SIZE = 64


class Inception(nn.Module):
    """Inception v3 as torch-fidelity ports it from the authors' own.

    Grey images are repeated to three channels; all are rounded to 8 bits and resized to 299x299 as
    the authors' TensorFlow graph does.

    Args:
        network: torch-fidelity's extractor of the layer ``2048``, with its weights.
    """

    def __init__(self, network: FeatureExtractorInceptionV3) -> None:
        super().__init__()
        self.network = network

    def embed(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1], C 1 or 3, to embeddings (N, 2048)."""
        pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        if pixels.shape[1] == 1:
            pixels = pixels.expand(-1, 3, -1, -1)
        return torch.cat([self.network(batch)[0] for batch in pixels.split(_BATCH_SIZE)])
