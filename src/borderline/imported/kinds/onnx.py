"""An ONNX model, run by onnxruntime on the CPU, without gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from borderline.errors import BorderlineError
from borderline.imported.network import Network, NoEmbedding, in_fixed_batches, no_such_layer
from borderline.imported.onnx_outputs import Output, name_of_scores, read_maps
from borderline.imported.params import Source

_LAYER = "borderline_embedding"
_LINEAR = ("Gemm", "MatMul")
# Integers get the pixels 0 to 255.
_INPUT_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int16)": np.int16,
    "tensor(uint16)": np.uint16,
    "tensor(int32)": np.int32,
    "tensor(uint32)": np.uint32,
    "tensor(int64)": np.int64,
    "tensor(uint64)": np.uint64,
}


class OnnxNetwork(Network):
    """A model that runs on the CPU; outputs return to the device of the images."""

    def __init__(self, content: bytes, output: str | int | None) -> None:
        super().__init__()
        import onnx

        self._model = onnx.load_model_from_string(content)
        _check_complete(self._model)
        content = self._model.SerializeToString() if read_maps(self._model) else content
        self._session = _session(content)
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            raise BorderlineError(
                f"path is the file of a model with {len(inputs)} inputs, but it gets only one, the "
                "images: export it again with one input."
            )
        outputs = [Output(o.name, o.type, o.shape or ()) for o in self._session.get_outputs()]
        self._input, self._output = inputs[0].name, name_of_scores(outputs, output)
        if inputs[0].type not in _INPUT_TYPES:
            raise BorderlineError(
                f"path is the file of a model whose input is of the type {inputs[0].type}, but it "
                "gets images: export it again with an input of type float32 or uint8."
            )
        self._type = _INPUT_TYPES[inputs[0].type]
        if inputs[0].shape:
            shape = [n if isinstance(n, int) and n > 0 else None for n in inputs[0].shape]
            self.input_shape = tuple(shape)

    def forward(self, images: Tensor, *labels: Tensor, **named: Tensor) -> Tensor:
        """The output with the class scores; no generator is of this kind, so no labels come."""
        return self._run(self._session, self._output, images)

    def outputs(self, images: Tensor, *labels: Tensor, **named: Tensor) -> Tensor:
        """The output with the class scores."""
        return self.forward(images)

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

    def declared(self) -> dict[str, Any]:
        """The settings of ``input`` that the declared shape and type fix."""
        if np.issubdtype(self._type, np.integer):
            return super().declared() | {"dtype": "uint8"}
        is_float32 = self._type is np.float32
        return super().declared() | ({} if is_float32 else {"dtype": self._type.__name__})

    def count_weights(self) -> int | None:
        """The number of values in its initializers; None where the operators hold the weights."""
        import onnx

        # Integers of 64 bits are shapes and axes.
        shapes = onnx.TensorProto.INT64
        weights = [value for value in self._model.graph.initializer if value.data_type != shapes]
        return int(sum(np.prod(value.dims, dtype=int) for value in weights)) or None

    def _nodes_before(self, value: str) -> list[Any]:
        # ONNX lists nodes in the order of computation.
        values, nodes = {value}, []
        for node in reversed(self._model.graph.node):
            if values.intersection(node.output):
                values.update(node.input)
                nodes.append(node)
        return nodes[::-1]

    def _run(self, session: Any, output: str, images: Tensor) -> Tensor:
        def run(batch: Tensor) -> Tensor:
            batch = batch.float() if batch.dtype == torch.bfloat16 else batch
            (result,) = session.run([output], {self._input: batch.numpy().astype(self._type)})
            return torch.from_numpy(np.asarray(result))

        size = None if self.input_shape is None else self.input_shape[0]
        return in_fixed_batches(run, images.detach().cpu(), size).to(images.device)


def _check_complete(model: Any) -> None:
    import onnx

    external = onnx.TensorProto.EXTERNAL
    for tensor in _parts(model):
        if not isinstance(tensor, onnx.TensorProto) or tensor.data_location != external:
            continue
        place = next((e.value for e in tensor.external_data if e.key == "location"), "")
        raise BorderlineError(
            f"path is the file of a model whose weights are in another file ({place}): "
            "export it with its weights (torch.onnx.export(..., external_data=False)), or load it "
            "with onnx.load and save it again with onnx.save."
        )


def _parts(message: Any) -> Iterator[Any]:
    """All messages in a message of protobuf: tensors stand also in operators and functions."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for part in [value] if hasattr(value, "ListFields") else value:
                yield from _parts(part)


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    # Else bytes that are also a model in onnxruntime's own format would be read as that one.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    options.log_severity_level = 4  # Our sentences tell of errors.
    # PyTorch's number of threads, so that parallel workers do not compete for cores.
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def read(source: Source, content: bytes) -> Network:
    """The model of an .onnx file that contains its weights."""
    return OnnxNetwork(content, source.output)
