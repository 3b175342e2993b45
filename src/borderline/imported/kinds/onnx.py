"""An ONNX model, run by onnxruntime on the CPU, without gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.imported.network import Network, NoEmbedding, no_such_layer
from borderline.imported.params import Source

_LAYER = "borderline_embedding"
_LINEAR = ("Gemm", "MatMul")
_INPUT_TYPES = {
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}


class OnnxNetwork(Network):
    """A model that runs on the CPU; outputs return to the device of the images."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        import onnx

        self._model = onnx.load_model_from_string(content)
        self._session = _session(content)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise BorderlineError(
                f"path is the file of a model with {len(inputs)} inputs, but it gets only one, the "
                "images: export it again with one input."
            )
        outputs = [output.name for output in self._session.get_outputs()]
        self._input = inputs[0].name
        self._output = "logits" if "logits" in outputs else outputs[0]
        self._type = _INPUT_TYPES.get(inputs[0].type, np.float32)

    def forward(self, images: Tensor) -> Tensor:
        """The output ``logits``, or the first output."""
        return self._run(self._session, self._output, images)

    def embed(self, images: Tensor) -> Tensor:
        """The output of the layer."""
        return self._run(self._embedding_session, _LAYER, images)

    def find_layer(self, name: str | None, images: Tensor) -> None:
        """Turn the input of the last linear operator, or the named value, into an output."""
        import onnx

        nodes = self._model.graph.node
        values = [value for node in nodes for value in node.output]
        if name is None:
            linear = [node for node in self._nodes_before(self._output) if node.op_type in _LINEAR]
            if not linear:
                raise NoEmbedding("it has no linear operator")
            name = linear[-1].input[0]
        elif name not in values:
            raise no_such_layer(name, values)
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        model.graph.node.append(onnx.helper.make_node("Identity", [name], [_LAYER]))
        model.graph.output.append(onnx.ValueInfoProto(name=_LAYER))
        self._embedding_session, self.layer = _session(model.SerializeToString()), name

    def count_weights(self) -> int:
        """The number of values in its initializers."""
        weights = self._model.graph.initializer
        return int(sum(np.prod(tensor.dims, dtype=int) for tensor in weights))

    def _nodes_before(self, value: str) -> list[Any]:
        # ONNX lists nodes in the order of computation.
        values, nodes = {value}, []
        for node in reversed(self._model.graph.node):
            if values.intersection(node.output):
                values.update(node.input)
                nodes.append(node)
        return nodes[::-1]

    def _run(self, session: Any, output: str, images: Tensor) -> Tensor:
        inputs = {self._input: images.detach().cpu().numpy().astype(self._type)}
        (result,) = session.run([output], inputs)
        return torch.from_numpy(np.asarray(result)).to(images.device)


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # PyTorch's number of threads, so that parallel workers do not compete for cores.
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def read(source: Source, content: bytes) -> Network:
    """The model of an .onnx file that contains its weights."""
    return OnnxNetwork(content)
