"""ONNX, run by onnxruntime: for scoring, without gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.imported.network import Network, NoEmbedding
from borderline.imported.params import Source

_LAYER = "borderline_embedding"
_LINEAR = ("Gemm", "MatMul")
_GIVEN_AS = {"tensor(double)": np.float64, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


class OnnxNetwork(Network):
    """A model that onnxruntime runs on the CPU, wherever the images are.

    Args:
        content: The bytes of the file.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__()
        import onnx

        self._model = onnx.load_model_from_string(content)
        self._session = _session(content)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise BorderlineError(
                f"path names a model of {len(inputs)} inputs, but one, the images, is all that it "
                "gets: export it again with one."
            )
        outputs = [output.name for output in self._session.get_outputs()]
        self._input = inputs[0].name
        self._output = "logits" if "logits" in outputs else outputs[0]
        self._type = _GIVEN_AS.get(inputs[0].type, np.float32)

    def forward(self, images: Tensor) -> Tensor:
        """The model's first output, or that called ``logits``."""
        return self._run(self._session, self._output, images)

    def embed(self, images: Tensor) -> Tensor:
        """The output of the layer."""
        return self._run(self._embedding_session, _LAYER, images)

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """Make what the last linear operator is given, or the value of that name, an output."""
        import onnx

        nodes = self._model.graph.node
        values = [value for node in nodes for value in node.output]
        if name is None:
            linear = [node for node in self._leading_to(self._output) if node.op_type in _LINEAR]
            if not linear:
                raise NoEmbedding("it has no linear operator")
            name = linear[-1].input[0]
        elif name not in values:
            raise NoEmbedding(f"it has no such value; its last ones are {', '.join(values[-5:])}")
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        model.graph.node.append(onnx.helper.make_node("Identity", [name], [_LAYER]))
        model.graph.output.append(onnx.ValueInfoProto(name=_LAYER))
        self._embedding_session, self.layer = _session(model.SerializeToString()), name

    def count_weights(self) -> int:
        """How many numbers its initializers hold."""
        return int(sum(np.prod(own.dims, dtype=int) for own in self._model.graph.initializer))

    def _leading_to(self, value: str) -> list[Any]:
        # They are in an order in which they can be computed.
        wanted, found = {value}, []
        for node in reversed(self._model.graph.node):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                found.append(node)
        return found[::-1]

    def _run(self, session: Any, output: str, images: Tensor) -> Tensor:
        given = {self._input: images.detach().cpu().numpy().astype(self._type)}
        (result,) = session.run([output], given)
        return torch.from_numpy(np.asarray(result)).to(images.device)


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # As many as PyTorch may use, so that workers side by side do not wait for each other.
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def read(source: Source, content: bytes) -> Network:
    """The model of an .onnx file, whose weights must be in it."""
    return OnnxNetwork(content)
