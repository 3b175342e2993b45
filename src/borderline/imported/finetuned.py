"""An imported model whose weights are trained further, beside the file, which stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from borderline.datasets.storable import storable
from borderline.imported.classifier import Imported, ImportedClassifier
from borderline.imported.kinds import first_line
from borderline.imported.params import ImportedModelParams
from borderline.params import Setting

_FEWEST_BYTES = 4
_IMAGES = 4


@storable(runs_code=lambda params, **_: bool(params.source.runs_code))
class FinetunedClassifier(ImportedClassifier):
    """An imported model under test with other weights: images (N, C, H, W) to logits (N,).

    Batch norm and dropout stay as in evaluation, because exported graphs have no other mode. All
    weights of floats are trained, towards the logit of the pair. No one looks after the other
    classes of a model of more than two.

    Args:
        params: The settings of the imported model.
        content: The bytes of its file.
        image_shape: Channels, height and width of the images.
        judge: As for :class:`ImportedClassifier`.
        weights: The weights by name, as ``named_parameters`` lists them; None for those of the
            file.
        changed: Entries of the fingerprint beside those of the imported model.

    Raises:
        BorderlineError: As for :class:`ImportedClassifier`.
        ValueError: When the weights are not those of the file by name and shape.
    """

    def __init__(
        self,
        params: ImportedModelParams,
        content: bytes,
        image_shape: tuple[int, ...],
        judge: nn.Module | None = None,
        weights: Mapping[str, Tensor] | None = None,
        changed: Mapping[str, Setting] | None = None,
    ) -> None:
        super().__init__(params, content, image_shape, judge)
        self._changed = dict(changed or {})
        self.settings = {**self.settings, **self._changed}
        self.network.prepare_training()
        if weights is not None:
            self._take(weights)
        self.eval()

    @classmethod
    def of(
        cls,
        classifier: ImportedClassifier,
        changed: Mapping[str, Setting] | None = None,
        weights: Mapping[str, Tensor] | None = None,
    ) -> Self:
        """A copy of an imported model, which shares no weights with it."""
        arguments = {**classifier.made_of[1], "changed": dict(changed or {})}
        return cls(**arguments | ({} if weights is None else {"weights": weights}))

    @property
    def made_of(self) -> tuple[type[Imported], dict[str, Any]]:
        """The class with its arguments by name, among them copies of the present weights."""
        named = self.named_parameters()
        weights = {name: weight.detach().cpu().clone() for name, weight in named}
        return type(self), {**self._arguments, "weights": weights, "changed": self._changed}

    @made_of.setter
    def made_of(self, made_of: tuple[type[Imported], dict[str, Any]]) -> None:
        self._arguments = made_of[1]

    @property
    def described(self) -> str:
        """A short description for pages."""
        return super().described.replace("imported (", "imported and fine-tuned (", 1)

    def train(self, mode: bool = True) -> Self:
        """Stay in the mode of evaluation."""
        return super().train(False)

    def _take(self, weights: Mapping[str, Tensor]) -> None:
        present = dict(self.named_parameters())
        shapes = {name: weight.shape for name, weight in present.items()}
        if shapes != {name: weight.shape for name, weight in weights.items()}:
            raise ValueError("the fine-tuned weights are not those of the file")
        with torch.no_grad():
            for name, weight in present.items():
                weight.copy_(weights[name])


def fault_of_finetuning(classifier: ImportedClassifier) -> str:
    """The reason why an imported model cannot be fine-tuned; empty if it can."""
    if classifier.params.source.kind == "onnx":
        return "an ONNX file runs outside of PyTorch"
    try:
        network = FinetunedClassifier.of(classifier)
        weights = [weight for weight in network.parameters() if weight.requires_grad]
        if not weights:
            return "it shows no weights to PyTorch"
        coarse = {weight.dtype for weight in weights if weight.element_size() < _FEWEST_BYTES}
        if coarse:
            kinds = " and ".join(sorted(str(kind).removeprefix("torch.") for kind in coarse))
            return f"small steps are lost in weights of type {kinds}"
        random = torch.Generator().manual_seed(0)
        noise = torch.rand(_IMAGES, *network.image_shape, generator=random) * 2 - 1
        with torch.enable_grad():
            logits = network(noise)
            if not logits.requires_grad:
                return "its outputs have no gradients"
            gradients = torch.autograd.grad(logits.sum(), weights, allow_unused=True)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # Of many types; the model itself works, as the checks have tried.
        return first_line(error)
    return "" if any(g is not None for g in gradients) else "its weights have no gradients"
