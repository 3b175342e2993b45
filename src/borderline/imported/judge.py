"""An imported judge, with the interface of the judge that is trained here."""

from __future__ import annotations

import torch
from torch import Tensor

from borderline.datasets.storable import storable
from borderline.imported.classifier import Imported
from borderline.imported.params import ImportedJudgeParams


@storable(runs_code=lambda params, **_: bool(params.source.runs_code))
class ImportedJudge(Imported):
    """An imported judge: images (N, C, H, W) in [-1, 1] to logits of its classes (N, K).

    An encoder without a head gives its features in place of the logits.

    Args:
        image_shape: Channels, height and width of the images.

    Raises:
        BorderlineError: When the network cannot be read, or has no such layer; the sentence begins
            with a setting of ``params``.
    """

    def __init__(
        self, params: ImportedJudgeParams, content: bytes, image_shape: tuple[int, ...]
    ) -> None:
        super().__init__(params.source, params.input, content, image_shape)
        arguments = {"params": params, "content": content, "image_shape": image_shape}
        self.made_of = type(self), arguments
        self.params = params
        if self.has_head or params.embedding is not None:
            remedy = "name a layer, or set outputs to null if the network's output are features"
            self.find_layer(params.embedding, remedy)

    @property
    def has_head(self) -> bool:
        """Whether it has an opinion on classes."""
        return self.params.outputs is not None

    @property
    def layer(self) -> str:
        """The layer of the features; ``output`` for the output of the network."""
        return self.network.layer or "output"

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] to logits (N, K), whose softmax is its opinion."""
        outputs = self.outputs(images)
        if self.params.outputs == "probabilities":
            return outputs.clamp(min=torch.finfo(outputs.dtype).tiny).log()
        return outputs

    def embed(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] to features (N, D)."""
        if self.network.layer or len(images) == 0:
            return super().embed(images)
        return self.outputs(images).reshape(len(images), -1)
