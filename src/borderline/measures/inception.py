"""The judge of the FID: Inception v3 with the weights of 2015-12-05 (Heusel et al. 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from borderline.measures import INCEPTION_FEATURES as INCEPTION_FEATURES

if TYPE_CHECKING:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

# An image takes up to 12 MB inside the network.
_BATCH_SIZE = 64


class Inception(nn.Module):
    """Inception v3 in torch-fidelity's port of the authors' network.

    Grey images are repeated to three channels. All images are rounded to 8 bits and resized to
    299x299, whatever their proportions, in the same way as in the authors' TensorFlow graph.

    Args:
        network: torch-fidelity's extractor of the layer ``2048``, with weights.
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
