"""A model under test that was trained elsewhere, as the stages know models."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from borderline.errors import BorderlineError
from borderline.imported.import_path import code_at
from borderline.imported.kinds import first_line, read_network
from borderline.imported.network import NoEmbedding, outputs_of
from borderline.imported.params import JUDGE, Contract, ImportedModelParams, Source
from borderline.params import Setting

FILE_DIGEST = "model.file_digest"
"""What stands for the content of the file in the settings of all that depends on it."""

_SMALLEST_P = 1e-7
_DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "uint8": torch.uint8,
}


class ImportedClassifier(nn.Module):
    """A network from elsewhere behind its contract: images (N, C, H, W) in [-1, 1] to logits (N,).

    It is kept as the bytes of its file, so it can be copied, pickled and sent to other machines
    whatever it is made of.

    Args:
        params: Its settings.
        content: The bytes of its file.
        image_shape: Channels, height and width of the images.
        judge: Embeds in the model's place, where ``embedding`` is ``judge``.

    Attributes:
        settings: What the stages compare checkpoints by.

    Raises:
        BorderlineError: When the network cannot be read, or has no such layer; the sentence begins
            with the name of a setting of ``params``.
    """

    def __init__(
        self,
        params: ImportedModelParams,
        content: bytes,
        image_shape: tuple[int, ...],
        judge: nn.Module | None = None,
    ) -> None:
        super().__init__()
        judge = judge if params.embedding == JUDGE else None
        self._made_of = (params, content, image_shape, judge)
        self.params, self.image_shape = params, image_shape
        self.network = read_network(params.source, content)
        # No module of this one: what is done to the model's layers is not done to the judge's.
        self._judge = [] if judge is None else [judge]
        self.settings: dict[str, Setting] = {
            **params.fingerprint("model"),
            FILE_DIGEST: digest_of_source(params.source, content),
        }
        if not self._judge:
            self._find_layer()

    def __reduce__(self) -> Any:
        return type(self), self._made_of

    @cached_property
    def differentiable(self) -> bool:
        """Whether gradients flow from the logit to the images."""
        noise = torch.rand(4, *self.image_shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
        noise = noise.to(self._device()).requires_grad_(True)
        with torch.enable_grad():
            logits = self(noise)
            if not logits.requires_grad:
                return False
            (gradient,) = torch.autograd.grad(logits.sum(), noise, allow_unused=True)
        return gradient is not None and bool(gradient.any())

    @property
    def most_other_mass(self) -> float | None:
        """The most probability beside the pair; None where the model knows no other class."""
        return self.params.most_other_mass if self._classes > 2 else None

    @property
    def weights(self) -> int:
        """How many weights the network has."""
        return self.network.count_weights()

    @property
    def described(self) -> str:
        """What it is, for people to read."""
        of_pair = " of more classes than the pair" if self.most_other_mass is not None else ""
        return f"{self.params.source.kind} from elsewhere{of_pair}, embedding: {self.layer}"

    @property
    def layer(self) -> str:
        """The layer that embeds; ``judge`` where the judge does."""
        return JUDGE if self._judge else self.network.layer

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] to logits of the positive class (N,)."""
        if len(images) == 0:  # which not every network takes
            return images.new_zeros(0)
        outputs = self.outputs(images)
        if self.params.outputs == "logit":
            return outputs.flatten()
        if self.params.outputs == "probability":
            return torch.logit(outputs.flatten(), eps=_SMALLEST_P)
        positive, negative = self.columns
        if self.params.outputs == "logits":
            return outputs[:, positive] - outputs[:, negative]
        # The boundary of p(positive) / (p(positive) + p(negative)).
        logs = outputs.clamp(min=torch.finfo(outputs.dtype).tiny).log()
        return logs[:, positive] - logs[:, negative]

    def other_mass(self, images: Tensor) -> Tensor:
        """The probability that images (N, C, H, W) have on the classes beside the pair, (N,)."""
        outputs = self.outputs(images)
        if outputs.dim() < 2 or outputs.shape[1] < 3:
            return torch.zeros(len(images), device=images.device)
        shares = outputs.softmax(1) if self.params.outputs == "logits" else outputs
        pair = shares[:, list(self.columns)].sum(1)
        return (1 - pair).clamp(0, 1)

    def embed(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] to embeddings (N, D)."""
        if self._judge:
            judge: Any = self._judge[0].to(images.device).eval()
            found: Tensor = judge.embed(images)
            return found
        if len(images) == 0:
            return images.new_zeros(0, self.embed(self._blank().to(images.device)).shape[1])
        found = self.network.embed(prepared(images, self.params.input))
        return found.reshape(len(images), -1).float()

    def outputs(self, images: Tensor) -> Tensor:
        """What the network gives for images (N, C, H, W) in [-1, 1], as float32."""
        return outputs_of(self.network(prepared(images, self.params.input))).float()

    @property
    def columns(self) -> tuple[int, int]:
        """The columns of the positive and of the negative class."""
        return self.params.columns or (1, 0)

    @cached_property
    def _classes(self) -> int:
        if self.params.outputs in ("logit", "probability"):
            return 2
        with torch.no_grad():
            return self.outputs(self._blank()).shape[1]

    def _device(self) -> torch.device:
        return next((own.device for own in self.network.parameters()), torch.device("cpu"))

    def _blank(self) -> Tensor:
        return torch.zeros(2, *self.image_shape, device=self._device())

    def _find_layer(self) -> None:
        named = self.params.embedding
        try:
            self.network.find_layer(named, prepared(self._blank(), self.params.input))
        except Exception as error:
            if not isinstance(error, NoEmbedding):
                error = NoEmbedding(f"no layer can be told ({first_line(error)})")
            raise BorderlineError(
                f"embedding is {named!r}, but of the network {error}: name a layer, or set it to "
                f"{JUDGE!r} to cluster by the judge's features."
            ) from error


class BlindJudge(nn.Module):
    """Stands in for a judge that is not trained yet, where nothing is clustered."""

    def embed(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to two of their pixels (N, 2)."""
        return images.flatten(1)[:, :2]


def digest_of_source(source: Source, content: bytes) -> str:
    """A short fingerprint of a file, and of the module of Python's that goes with it.

    Args:
        source: Where it comes from.
        content: The bytes of the file.

    Returns:
        16 hexadecimal digits of their SHA-256.
    """
    code = b"" if source.import_path is None else code_at(source.import_path)
    return hashlib.sha256(content + code).hexdigest()[:16]


def prepared(images: Tensor, contract: Contract) -> Tensor:
    """Images as a model expects them.

    Args:
        images: Shape (N, C, H, W), in [-1, 1].
        contract: What it expects.
    """
    if contract.fit:
        images = _fitted(images, contract)
    low, high = contract.range
    images = (images + 1) / 2 * (high - low) + low
    if contract.mean is not None and contract.std is not None:
        mean, std = (images.new_tensor(own)[:, None, None] for own in (contract.mean, contract.std))
        images = (images - mean) / std
    if contract.dtype == "uint8":
        images = images.round().clamp(0, 255)
    return images.to(_DTYPES[contract.dtype])


def _fitted(images: Tensor, contract: Contract) -> Tensor:
    channels, size = images.shape[1], images.shape[-1]
    if contract.channels == 1 and channels == 3:
        images = images.mean(1, keepdim=True)
    elif contract.channels == 3 and channels == 1:
        images = images.expand(-1, 3, -1, -1)
    if contract.size is not None and contract.size != size:
        shape = (contract.size, contract.size)
        images = F.interpolate(
            images, shape, mode="bilinear", align_corners=False, antialias=True
        ).clamp(-1, 1)
    return images
