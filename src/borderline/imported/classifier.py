"""An imported model under test, with the interface of every model under test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from borderline.datasets.labelled_images import luminance
from borderline.datasets.storable import storable
from borderline.errors import BorderlineError
from borderline.imported.declared import check_declared
from borderline.imported.import_path import digest_of_code, digest_of_source
from borderline.imported.kinds import first_line, read_network
from borderline.imported.network import NoEmbedding, NoScores, floating
from borderline.imported.outputs import pair_logits
from borderline.imported.params import (
    CODE_DIGEST,
    FILE_DIGEST,
    JUDGE,
    Contract,
    Grey,
    ImportedModelParams,
    Source,
)
from borderline.imported.user_code import faults_with_lines
from borderline.measures.inference import batch_size_of, images_at_once
from borderline.params import Setting


class Imported(nn.Module):
    """An imported network behind its contract, for images (N, C, H, W) in [-1, 1].

    A copy or a stored model consists of its settings and the bytes of the file, since not every
    network can be pickled.

    Args:
        source: The place of the network.
        contract: The images that it expects.
        content: The bytes of its file.
        image_shape: Channels, height and width of the images.

    Attributes:
        digest: A fingerprint of the file and of the module that belongs to it.
        made_of: The class with its arguments by name, which a subclass sets.

    Raises:
        BorderlineError: When the network cannot be read, or declares other images than the
            contract; the sentence begins with ``source.`` or ``input.``.
    """

    made_of: tuple[type[Imported], dict[str, Any]]

    def __init__(
        self, source: Source, contract: Contract, content: bytes, image_shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        self.contract, self.image_shape = contract, image_shape
        self.network = read_network(source, content)
        declared, shape = self.network.declared(), self.network.input_shape
        check_declared(shape, declared, contract, image_shape)
        self.digest = digest_of_source(source, content)

    def __reduce__(self) -> Any:
        make, arguments = self.made_of
        return make, tuple(arguments.values())

    @property
    def weights(self) -> int | None:
        """The number of weights; None where it is unknown, as for a function."""
        return self.network.count_weights()

    @property
    def batch_size(self) -> int:
        """The number of images at once: fewer where the network gets larger ones."""
        return images_at_once(self.contract.shape or self.image_shape)

    def embed(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] to embeddings (N, D)."""
        if len(images) == 0:  # Not every network accepts an empty batch.
            return images.new_zeros(0, self.embed(self.blank().to(images.device)).shape[1])
        with faults_with_lines():
            embeddings = self.network.embed(prepared(images, self.contract))
        return embeddings.reshape(len(images), -1).float()

    def outputs(self, images: Tensor) -> Tensor:
        """The outputs of the network for images (N, C, H, W) in [-1, 1], as float32.

        Raises:
            NoScores: When they are no tensor of floats.
            CodeFault: When the user's code fails; the sentence names its line.
        """
        with faults_with_lines():
            outputs = self.network.outputs(prepared(images, self.contract))
        return floating(outputs)

    def blank(self) -> Tensor:
        """Two grey images on the model's device."""
        return torch.zeros(2, *self.image_shape, device=self._device())

    def find_layer(self, name: str | None, remedy: str) -> None:
        """Find the embedding layer.

        Raises:
            BorderlineError: When there is none of that name; the sentence begins with
                ``embedding`` and ends with the remedy.
        """
        try:
            self.network.find_layer(name, prepared(self.blank(), self.contract))
        except NoScores as error:
            raise BorderlineError(
                f"source.output is {self.network.output!r}, but {error}: correct it."
            ) from error
        except Exception as error:
            if isinstance(error, BorderlineError) and str(error).startswith("embedding is"):
                raise
            if not isinstance(error, NoEmbedding):
                error = NoEmbedding(f"its layers cannot be listed ({first_line(error)})")
            wrong = f"{name!r}, but for this model {error}"
            if name is None:
                wrong = f"missing, and the model gives no layer to take by default ({error})"
            raise BorderlineError(f"embedding is {wrong}: {remedy}.") from error

    def _device(self) -> torch.device:
        return next((weights.device for weights in self.network.parameters()), torch.device("cpu"))


@storable(runs_code=lambda params, **_: bool(params.source.runs_code))
class ImportedClassifier(Imported):
    """An imported model under test: images (N, C, H, W) in [-1, 1] to logits (N,).

    Args:
        image_shape: Channels, height and width of the images.
        judge: Makes the embeddings if ``embedding`` is ``judge``.

    Attributes:
        settings: The fingerprint that the stages compare checkpoints by.

    Raises:
        BorderlineError: When the network cannot be read, or has no such layer; the sentence begins
            with a setting of ``params``.
    """

    def __init__(
        self,
        params: ImportedModelParams,
        content: bytes,
        image_shape: tuple[int, ...],
        judge: nn.Module | None = None,
    ) -> None:
        super().__init__(params.source, params.input, content, image_shape)
        judge = judge if params.embedding == JUDGE else None
        self.made_of = (
            type(self),
            {"params": params, "content": content, "image_shape": image_shape, "judge": judge},
        )
        # The columns of the positive and of the negative class.
        self.columns = params.columns or (1, 0)
        self.params = params
        # In a list, so that changes to the model's layers leave the judge's layers alone.
        self._judge = [] if judge is None else [judge]
        self.settings: dict[str, Setting] = {
            **params.fingerprint("model"),
            FILE_DIGEST: self.digest,
        }
        if code := digest_of_code(params.source):
            self.settings[CODE_DIGEST] = code
        if not self._judge:
            remedy = f"name a layer, or set it to {JUDGE!r} to cluster by the judge's features"
            self.find_layer(params.embedding, remedy)

    @cached_property
    def differentiable(self) -> bool:
        """Whether gradients flow from the logit to the images.

        They do not where the model leaves PyTorch or has an operator without a derivative.
        """
        try:
            # A model that is certain of one kind of images has no gradient there.
            return any(map(self._has_gradient, _trials(self.image_shape)))
        except torch.OutOfMemoryError:
            raise
        except Exception:  # The model itself works: the checks have tried it without gradients.
            return False

    def _has_gradient(self, images: Tensor) -> bool:
        images = images.to(self._device()).requires_grad_(True)
        with torch.enable_grad():
            logits = self(images)
            if not logits.requires_grad:
                return False
            (gradient,) = torch.autograd.grad(logits.sum(), images, allow_unused=True)
        return gradient is not None and bool(gradient.any())

    @property
    def most_other_mass(self) -> float | None:
        """The highest probability of the other classes; None for a model of two classes."""
        return self.params.most_other_mass if self._classes > 2 else None

    @property
    def described(self) -> str:
        """A short description for pages."""
        classes = f", {self._classes} classes" if self._classes > 2 else ""
        shape = self.image_shape[1:]
        size = self.contract.shape or shape
        resized = "" if size == shape else f", images resized to {size[0]}x{size[1]}"
        embedding = "the judge's features" if self._judge else self.layer
        return f"imported ({self.params.source.kind}{classes}{resized}), embedding: {embedding}"

    @property
    def described_outputs(self) -> str:
        """The outputs in words, with ``{positive}`` in place of the name of the positive class."""
        kind = self.params.outputs
        if kind == "logit":
            return "a logit; its sigmoid is p, the probability of {positive}"
        if kind == "probability":
            return "p, the probability of {positive}"
        if kind == "logits":
            return (
                f"logits of {self._classes} classes; p, the probability of {{positive}}, is the "
                "softmax over the two classes"
            )
        if self._classes == 2:
            return "probabilities of 2 classes; p is that of {positive}"
        return (
            f"probabilities of {self._classes} classes; p is the share of {{positive}} in the sum "
            "of the two classes"
        )

    @property
    def layer(self) -> str:
        """The embedding layer; ``judge`` for the judge's features."""
        return JUDGE if self._judge else self.network.layer

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) in [-1, 1] to logits of the positive class (N,)."""
        if len(images) == 0:  # Not every network accepts an empty batch.
            return images.new_zeros(0)
        outputs = self.outputs(images)
        return pair_logits(outputs, self.params.outputs, self.columns)

    def other_mass(self, images: Tensor) -> Tensor:
        """The total probability (N,) of the classes outside the pair, for images (N, C, H, W)."""
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
            features: Tensor = judge.embed(images)
            return features
        return super().embed(images)

    @property
    def batch_size(self) -> int:
        """The number of images at once, for the judge too if it makes the embeddings."""
        return min(super().batch_size, batch_size_of(*self._judge))

    @cached_property
    def _classes(self) -> int:
        if self.params.outputs in ("logit", "probability"):
            return 2
        with torch.no_grad():
            return self.outputs(self.blank()).shape[1]


def _trials(image_shape: Sequence[int]) -> Iterator[Tensor]:
    """Four images of noise (4, C, H, W) in [-1, 1]; then coarse spots of several shades, four at a
    time."""
    random = torch.Generator().manual_seed(0)
    yield torch.rand(4, *image_shape, generator=random) * 2 - 1
    channels, *size = image_shape
    for contrast in (1.0, 0.3, 0.1):
        for shade in (-1.0, -0.5, 0.0, 0.5, 1.0):
            spots = torch.randn(4, channels, 4, 4, generator=random) * contrast + shade
            yield F.interpolate(spots, tuple(size), mode="bilinear").clamp(-1, 1)


class BlindJudge(nn.Module):
    """A placeholder for the judge in checks that need no embeddings."""

    def embed(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W) to their first two pixels (N, 2)."""
        return images.flatten(1)[:, :2]


def prepared(images: Tensor, contract: Contract) -> Tensor:
    """Images (N, C, H, W) in [-1, 1] after the preprocessing of a model."""
    if contract.fit:
        images = fitted(images, contract.channels, contract.shape, contract.grey)
    low, high = contract.range
    images = (images + 1) / 2 * (high - low) + low
    if contract.mean is not None and contract.std is not None:
        mean, std = images.new_tensor(contract.mean), images.new_tensor(contract.std)
        images = (images - mean[:, None, None]) / std[:, None, None]
    if contract.dtype == "uint8":
        images = images.round().clamp(0, 255)
    if contract.layout.endswith("nhwc"):
        images = images.permute(0, 2, 3, 1).contiguous()
    if contract.layout.startswith("flat"):
        images = images.flatten(1)
    return images.to(getattr(torch, contract.dtype))


def fitted(
    images: Tensor,
    channels: int | None,
    shape: tuple[int, int] | None,
    grey: Grey | None = "luminance",
) -> Tensor:
    """Images (N, C, H, W) in [-1, 1] with other channels and another height and width.

    They are resized (bilinear), grey is repeated to three channels, colours become grey by their
    luminance, or else by their mean. None keeps the channels or the shape that they have.
    """
    if channels == 1 and images.shape[1] == 3:
        images = luminance(images) if grey == "luminance" else images.mean(1, keepdim=True)
    elif channels == 3 and images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    if shape is not None and shape != images.shape[-2:]:
        images = F.interpolate(images, shape, mode="bilinear", antialias=True).clamp(-1, 1)
    return images
