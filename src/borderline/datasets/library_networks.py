"""Networks that libraries provide by name: torchvision and timm, and their pretrained weights."""

from __future__ import annotations

import socket
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.nn import functional as F

from borderline.datasets.atomic import ReadOnlyDataset
from borderline.datasets.imported_file import ImportedFile
from borderline.errors import BorderlineError, NotInstalled, did_you_mean
from borderline.image_sizes import Size, sides, spelled
from borderline.measures.inference import BATCH_SIZE, images_at_once

# Without the outputs that help only the training on ImageNet.
_ONE_OUTPUT: dict[str, Any] = {"aux_logits": False, "init_weights": True}
_OPTIONS = {"googlenet": _ONE_OUTPUT, "inception_v3": _ONE_OUTPUT}
_HUB = "huggingface.co"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class LibraryFeatures(nn.Module):
    """The penultimate features (N, ``width``) of a network, for images (N, C, H, W) in [-1, 1].

    Grey images become three equal channels. All are resized (bilinear) to ``size`` if it is set,
    whatever their proportions, and normalised by the mean and standard deviation of ImageNet, as
    both libraries do.

    Args:
        kind: ``torchvision`` or ``timm``.
        name: The name of a network for classification there.
        size: Side of a square in pixels, or height and width; None for those of the images.

    Raises:
        BorderlineError: When the library is missing, or has no such network.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, kind: str, name: str, size: Size | None) -> None:
        super().__init__()
        check_name(kind, name)
        build = _of_timm if kind == "timm" else _of_torchvision
        self.network, self.width = build(name)
        self.size = size
        # Stored with the weights, because these belong to them.
        self.register_buffer("mean", torch.tensor(_MEAN).reshape(3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD).reshape(3, 1, 1))

    @property
    def batch_size(self) -> int:
        """The number of images at once: fewer where the network gets larger ones."""
        return BATCH_SIZE if self.size is None else images_at_once(sides(self.size))

    def forward(self, images: Tensor) -> Tensor:
        """The features."""
        images = images.expand(-1, 3, -1, -1)
        if self.size is not None and images.shape[-2:] != sides(self.size):
            images = F.interpolate(images, sides(self.size), mode="bilinear", antialias=True).clamp(
                -1, 1
            )
        features: Tensor = self.network(((images + 1) / 2 - self.mean) / self.std)
        return features


def check_name(kind: str, name: str) -> None:
    """Make sure that a library is installed and has a network of this name.

    Raises:
        NotInstalled: When it is not installed; the sentence begins with ``kind``.
        BorderlineError: When it has none; the sentence begins with ``name``.
    """
    try:
        known = _names(kind)
    except ModuleNotFoundError as error:
        raise NotInstalled(
            "kind is 'timm', but the library timm is not installed: run "
            "`pip install 'borderline[timm]'`, or choose a model of kind 'torchvision'."
        ) from error
    if name not in known:
        lists = {
            "timm": "timm.list_models()",
            "torchvision": "torchvision.models.list_models(module=torchvision.models)",
        }
        raise BorderlineError(
            f"name is {name!r}{did_you_mean(name, known)}, but {kind} has no classifier of this "
            f"name: choose one of {lists[kind]}."
        )


def _names(kind: str) -> set[str]:
    if kind == "timm":
        import timm

        return {*timm.list_models(), *timm.list_pretrained()}
    from torchvision import models

    return set(models.list_models(module=models))


def _of_timm(name: str) -> tuple[nn.Module, int]:
    import timm

    network: Any = timm.create_model(name, num_classes=0)
    return network, int(getattr(network, "head_hidden_size", None) or network.num_features)


def _of_torchvision(name: str) -> tuple[nn.Module, int]:
    from torchvision import models

    network = models.get_model(name, weights=None, **_OPTIONS.get(name, {}))
    linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise BorderlineError(
            f"name is {name!r}, but this network ends in no linear layer, whose inputs are the "
            "embedding: choose another one."
        )
    parent, _, last = linear[-1].rpartition(".")
    owner = network.get_submodule(parent)
    width = int(getattr(owner, last).in_features)
    setattr(owner, last, nn.Identity())
    return network, width


def check_network(
    kind: str, name: str, size: Size | None, shape: tuple[int, ...], pretrained: bytes = b""
) -> None:
    """Make sure that a network can train on images (C, H, W) of this shape.

    The network is built without memory and only works out shapes. ``pretrained`` is the file of its
    weights; empty for none.

    Raises:
        BorderlineError: When it cannot; the sentence begins with ``kind``, ``name``, ``size`` or
            ``weights``.
    """
    check_name(kind, name)
    with torch.random.fork_rng(devices=[]), torch.device("meta"), torch.no_grad():
        try:
            features = LibraryFeatures(kind, name, size)
        except BorderlineError:
            raise
        except Exception as error:  # Of many types.
            raise BorderlineError(
                f"name is {name!r}, but this network cannot be built without memory "
                f"({_first_line(error)}), as the check of its files does: choose another one."
            ) from error
        try:
            made = features.train()(torch.zeros(2, *shape))
            fault = "" if made.shape == (2, features.width) else f"gives {tuple(made.shape)}"
        # Networks raise errors of many types about sizes.
        except Exception as error:
            fault = _first_line(error)
    if fault:
        height, width = sides(size or shape[1:])
        raise BorderlineError(
            f"size is {spelled(size)}, but {name} of {kind} cannot take images of {height}x{width} "
            f"pixels (height x width; {fault}): set size to the side that this model takes, often "
            "224, or choose another model."
        )
    if pretrained:
        fitting_weights(features.network, pretrained)


def load_pretrained(network: nn.Module, content: bytes) -> None:
    """Load the weights of all layers but the last from a safetensors file.

    Raises:
        BorderlineError: As for :func:`fitting_weights`.
    """
    network.load_state_dict(fitting_weights(network, content), strict=False)


def fitting_weights(network: nn.Module, content: bytes) -> dict[str, Tensor]:
    """The weights of a network, without its last layer, in a safetensors file.

    Raises:
        BorderlineError: When the file is none, or has no such weights; the sentence begins with
            ``weights``.
    """
    remedy = "save them with `safetensors.torch.save_file(model.state_dict(), path)`."
    try:
        weights = load(content)
    except (SafetensorError, ValueError) as error:
        raise BorderlineError(f"weights is no whole safetensors file: {remedy}") from error
    own = {n: w for n, w in network.state_dict().items() if not n.endswith("num_batches_tracked")}
    faults = [f"{n} is missing" for n in own if n not in weights]
    faults += [
        f"{n} has another shape" for n in own if n in weights and weights[n].shape != own[n].shape
    ]
    if faults:
        raise BorderlineError(
            "weights is no file of the weights of this model, with the names of its library "
            f"({', '.join(faults[:3])}): {remedy}"
        )
    return {name: weights[name] for name in own}


class PretrainedWeights(ReadOnlyDataset[bytes]):
    """The pretrained weights of a network of a library, as the bytes of a safetensors file.

    Args:
        kind: ``torchvision`` or ``timm``.
        name: The name of the network there.
        filepath: The file; None for the library's own weights, downloaded once to its cache.
        setting: The setting that holds the path, for messages.
        metadata: Ignored here; read by kedro-viz.

    Raises:
        BorderlineError: At loading, when there are none.
    """

    def __init__(
        self,
        *,
        kind: str,
        name: str,
        filepath: str | None,
        setting: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._kind, self._name, self._file, self._setting = kind, name, filepath, setting
        self.metadata = metadata

    def load(self) -> bytes:
        """Read the file, or download it."""
        if self._file is not None:
            return ImportedFile(filepath=self._file, setting=self._setting).load()
        model = self._setting.removesuffix(".weights")
        try:
            check_name(self._kind, self._name)
        except BorderlineError as error:
            raise BorderlineError(f"{model}.{error}") from error
        download = _download_of_timm if self._kind == "timm" else _download_of_torchvision
        try:
            return download(self._name)
        except (OSError, RuntimeError) as error:
            raise BorderlineError(
                f"{model}.pretrained is True, but the download of the weights of {self._name} of "
                f"{self._kind} failed ({_first_line(error)}): connect to the internet once, set "
                f"{self._setting} to a safetensors file of them, or set pretrained to False."
            ) from error

    def _describe(self) -> dict[str, Any]:
        return {"kind": self._kind, "name": self._name, "filepath": self._file or "downloaded once"}


def _download_of_timm(name: str) -> bytes:
    import timm
    from huggingface_hub import hf_hub_download

    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise RuntimeError("timm has none")
    # timm names the repository of a tag by its model and its tag.
    own = f"{config.architecture}.{config.tag}" if config.hf_hub_id.endswith("/") else ""
    fetch = partial(
        hf_hub_download, config.hf_hub_id + own, config.hf_hub_filename or "model.safetensors"
    )
    try:
        path = fetch(local_files_only=True)
    except OSError:
        # The library would try again for most of a minute where there is no internet.
        socket.create_connection((_HUB, 443), timeout=10).close()
        path = fetch()
    return Path(path).read_bytes()


def _download_of_torchvision(name: str) -> bytes:
    from torchvision import models

    weights = list(models.get_model_weights(name))
    if not weights:
        raise RuntimeError("torchvision has none")
    default: Any = models.get_model_weights(name).DEFAULT
    return save(default.get_state_dict(progress=False, check_hash=True))


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200].rstrip(".") or type(error).__name__
