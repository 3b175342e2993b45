"""Small models for the tests, saved in every kind of file."""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Net(nn.Module):
    """A small network with a linear layer at its end; images (N, C, H, W) from 12x12 on."""

    def __init__(self, outputs: int = 2, channels: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.hidden = nn.Linear(4 * 9, 8)
        self.drop = nn.Dropout(0.5)
        self.last = nn.Linear(8, outputs)

    def forward(self, images: Tensor) -> Any:
        return self.answer(images)

    def answer(self, images: Tensor) -> Tensor:
        pooled = F.adaptive_avg_pool2d(torch.relu(self.conv(images)), 3)
        return self.last(self.drop(torch.relu(self.hidden(torch.flatten(pooled, 1)))))


class Wandering(Net):
    """Its control flow depends on the images, so it cannot be traced."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images if images.mean() > -2 else -images)


class Seeded:
    """A callable with a method ``embed``."""

    def __init__(self, outputs: int = 2) -> None:
        torch.manual_seed(0)
        self.net = Net(outputs).eval()

    def __call__(self, images: Tensor) -> Any:
        return self.net(images).detach().numpy()

    def embed(self, images: Tensor) -> Tensor:
        return images.flatten(1)[:, :5]


class Ink(nn.Module):
    """Tells digits with much ink from those with little: 7 from 1, mostly.

    Args:
        outputs: The number of columns; the first is for 1, the second for 7.
        after: A last step: ``softmax``, ``sigmoid``, or one that makes the outputs bad.
        channels: Channels of the images.
        size: Size of the images.
    """

    def __init__(
        self, outputs: int = 2, after: str = "", channels: int = 1, size: int = 28
    ) -> None:
        super().__init__()
        self.after, self.side = after, size // 2
        self.last = nn.Linear(4 * channels, outputs)
        with torch.no_grad():
            self.last.weight.zero_()
            self.last.bias.zero_()
            self.last.weight[-1 if outputs < 3 else 1] = 20 / channels
            self.last.bias[-1 if outputs < 3 else 1] = -9.2

    def forward(self, images: Tensor) -> Tensor:
        logits = self.last(F.avg_pool2d(images, self.side).flatten(1))
        changed = {
            "nan": logits * float("nan"),
            "constant": logits * 0,
            "random": logits + torch.randn_like(logits),
            "batch": logits - logits.mean(0),
            "flipped": -logits,
            "softmax": logits.softmax(1),
            "sigmoid": logits.sigmoid(),
            "labels": (logits >= logits.amax(1, keepdim=True)).float(),
            "one row": logits[:1],
            "sum": logits.sum(),
            "dict": {"scores": logits},
        }
        return changed.get(self.after, logits)


class Tiny(nn.Module):
    """A generator: latents (N, 4) to images of 28x28.

    Args:
        size: Size of the images.
        scale: Factor of their pixels.
        noise: Amount of noise that it adds.
        detach: Whether it stops gradients.
    """

    def __init__(
        self, size: int = 28, scale: float = 1.0, noise: float = 0.0, detach: bool = False
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.size, self.scale, self.noise, self.detach = size, scale, noise, detach
        self.net = nn.Linear(4, size * size)

    def forward(self, latents: Tensor) -> Tensor:
        latents = latents.detach() if self.detach else latents
        images = torch.tanh(self.net(latents)).reshape(-1, 1, self.size, self.size)
        images = images * self.scale
        return images + self.noise * torch.rand_like(images) if self.noise else images


class Morph(nn.Module):
    """A generator between two pictures: latents (N, 4) to images in [-1, 1].

    Args:
        size: Size of the images.
        channels: Channels of the images.
    """

    def __init__(self, size: int = 28, channels: int = 1) -> None:
        super().__init__()
        self.register_buffer("ends", torch.zeros(2, channels, size, size))
        self.register_buffer("waves", torch.zeros(3, channels, size, size))

    def forward(self, latents: Tensor) -> Tensor:
        share = torch.sigmoid(2 * latents[:, 0])[:, None, None, None]
        waves = torch.einsum("nk,kchw->nchw", latents[:, 1:], self.waves)
        return (self.ends[0] * (1 - share) + self.ends[1] * share + waves).clamp(-1, 1)


class Grid(nn.Module):
    """Latents of a shape of their own and labels to images; what it gives has several forms."""

    def __init__(self, form: str = "tensor") -> None:
        super().__init__()
        self.form = form

    def forward(self, latents: Tensor, labels: Tensor) -> Any:
        assert latents.shape[1:] == (2, 3)
        assert labels.dtype == torch.int64
        images = torch.sin(latents.sum(1)[:, None, None, :].expand(-1, 1, 4, -1)) / 2
        images = images + 0.1 * labels[:, None, None, None]
        return {
            "tensor": images,
            "tuple": (images, None),
            "list": [images],
            "sample": SimpleNamespace(sample=images),
            "images": SimpleNamespace(images=images),
            "dict": {"sample": images, "loss": 0},
        }[self.form]


class Detached(Net):
    """Gradients reach its weights, but not its images."""

    def forward(self, images: Tensor) -> Tensor:
        return super().forward(images.detach())


class TwoHeads(Net):
    """A second head follows the one that gives the first output."""

    def __init__(self) -> None:
        super().__init__()
        self.other = nn.Linear(2, 3)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.answer(images)
        return logits, self.other(logits)


class Answers(TwoHeads):
    """Returns a dictionary with logits, as models of Hugging Face do."""

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        logits = self.answer(images)
        return {"another": self.other(logits), "logits": logits}


class Floats(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.float() / 255


def sides(images: Tensor) -> Tensor:
    """The logit of being brighter on the left."""
    half = images.shape[-1] // 2
    return 4 * (images[..., :half].mean((1, 2, 3)) - images[..., half:].mean((1, 2, 3)))


def ink_logit(images: Tensor) -> Tensor:
    """The logit of having much ink."""
    return 80 * images.mean((1, 2, 3)) - 9.2


def label(images: Tensor) -> Tensor:
    """The label, where scores are needed."""
    return (ink_logit(images) > 0).long()


def faulty(images: Tensor) -> Tensor:
    """Asks for a channel that the images do not have."""
    return images[:, 7]


NOT_CALLABLE = 3


def saved(kind: str, model: nn.Module, images: Tensor) -> bytes:
    """A model as the bytes of a file of this kind."""
    file = io.BytesIO()
    batch = {0: torch.export.Dim("batch")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if kind == "torch_export":
            torch.export.save(
                torch.export.export(model, (images[:2].clone(),), dynamic_shapes=(batch,)), file
            )
        elif kind == "fixed batch":
            torch.export.save(torch.export.export(model, (images.clone(),)), file)
        elif kind == "torchscript":
            torch.jit.save(torch.jit.script(model), file)
        elif kind == "onnx":
            outputs = model(images[:2])
            names = list(outputs) if isinstance(outputs, dict) else None
            program = torch.onnx.export(
                model,
                (images[:2].clone(),),
                dynamic_shapes=(batch,),
                output_names=names,
                verbose=False,
            )
            assert program is not None
            file.write(program.model_proto.SerializeToString())
        elif kind == "state_dict":
            torch.save(model.state_dict(), file)
        else:
            torch.save(model, file)
    return file.getvalue()


class RunsCode:
    """Creates a file when its pickle is read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return open, (str(self.path), "w")


def pickled(trace: Path) -> bytes:
    """A pickle that leaves a file, the trace, when it is read."""
    return pickle.dumps(RunsCode(trace))


def foreign_network(library: str) -> nn.Module:
    """A network of another library for two classes, with random weights."""
    if library == "torchvision":
        import torchvision

        network: nn.Module = torchvision.models.shufflenet_v2_x0_5(num_classes=2)
    elif library == "timm":
        import timm

        network = timm.create_model("resnet10t", num_classes=2, in_chans=1)
    else:
        import transformers

        sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        shape = {"image_size": 28, "patch_size": 7, "num_channels": 1, "num_labels": 2}
        config = transformers.ViTConfig(**sizes, **shape, intermediate_size=32)
        network = transformers.ViTForImageClassification(config)
    return network


def onnx_file(
    shape: Sequence[int | str],
    outputs: dict[str, str],
    weights: np.ndarray | None = None,
    bias: Sequence[float] = (0.0, -9.2),
    dtype: str = "float32",
) -> bytes:
    """A linear ONNX model of all pixels, by default like ``Ink``.

    Args:
        shape: The declared shape of its input; texts for numbers that are left open.
        outputs: What its outputs are, by name: ``logits``, ``probabilities``, ``label`` (their
            arg max), ``maps`` (a dictionary per image), ``pixels`` (the flattened input), or
            ``fours`` (the logits with four axes).
        weights: One row per pixel, one column per class.
        bias: One number per class.
        dtype: The type of its input.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    pixels = int(np.prod([number for number in shape[1:] if isinstance(number, int)]))
    if weights is None:
        weights = np.outer(np.full(pixels, 80 / pixels), [0, 1])
    floating = {"W": weights, "b": np.asarray(bias)}
    constants = [
        numpy_helper.from_array(value.astype(np.float32), name) for name, value in floating.items()
    ]
    constants.append(numpy_helper.from_array(np.array([0, 0, 1, 1], np.int64), "fourth"))
    nodes = [
        helper.make_node("Cast", ["images"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["cast"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "W", "b"], ["gemm"]),
        helper.make_node("Softmax", ["gemm"], ["shares"], axis=1),
    ]
    made = {
        "logits": ("Identity", ["gemm"], {}),
        "probabilities": ("Identity", ["shares"], {}),
        "pixels": ("Identity", ["flat"], {}),
        "label": ("ArgMax", ["gemm"], {"axis": 1, "keepdims": 0}),
        "maps": ("ZipMap", ["shares"], {"domain": "ai.onnx.ml", "classlabels_int64s": [0, 1]}),
        "fours": ("Reshape", ["gemm", "fourth"], {}),
    }
    batch = shape[0]
    maps = helper.make_map_type_proto(
        TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, [])
    )
    described = []
    for name, what in outputs.items():
        operator, inputs, attributes = made[what]
        nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        if what == "maps":
            kind = helper.make_sequence_type_proto(maps)
            described.append(helper.make_value_info(name, kind))
            continue
        sides = {"label": [batch], "fours": [1, 1, None, None], "pixels": [batch, pixels]}
        element = TensorProto.INT64 if what == "label" else TensorProto.FLOAT
        whole = sides.get(what, [batch, len(bias)])
        described.append(helper.make_tensor_value_info(name, element, whole))
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    image = helper.make_tensor_value_info("images", element, shape)
    graph = helper.make_graph(nodes, "linear", [image], described, constants)
    versions = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=versions, ir_version=8)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


# Classes are imported and pickled under the name of this module.
SOURCES: dict[str, dict[str, Any]] = {
    "torch_export": {"path": "m.pt2", "trust": True},
    "torchscript": {"path": "m.ts", "trust": True},
    "state_dict": {"path": "m.pt", "import_path": "elsewhere.Net", "arguments": {"outputs": 2}},
    "pickle": {"path": "m.pickle", "trust": True},
    "onnx": {"path": "m.onnx"},
}
