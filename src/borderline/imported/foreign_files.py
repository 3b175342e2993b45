"""Files of other libraries, which are called by name with the way to export them."""

from __future__ import annotations

import zlib
from pathlib import Path

_KERAS = (
    "a model of Keras: export it to ONNX (model.export('model.onnx', format='onnx'), or python -m "
    "tf2onnx.convert)"
)
_SKLEARN = (
    "a model of scikit-learn: export it to ONNX (skl2onnx.to_onnx(model, X[:1], options={'zipmap': "
    "False})), or write a function that calls its predict_proba (kind 'callable', see "
    "docs/your_own.md)"
)
SAVED_MODEL = (
    "a SavedModel of TensorFlow: export it to ONNX (python -m tf2onnx.convert --saved-model FOLDER "
    "--output model.onnx)"
)
CORE_ML = "a model of Core ML: export the model that it was made from to ONNX"
_TFLITE = (
    "a model of TensorFlow Lite: export it to ONNX (python -m tf2onnx.convert --tflite FILE "
    "--output model.onnx)"
)
_TENSORRT = (
    "an engine of TensorRT, which runs on one type of GPU only: take the ONNX file that it was "
    "built from"
)
_GGUF = (
    "a file of GGUF, which holds no network that takes images: take the original model of PyTorch, "
    "as safetensors (kind 'state_dict') or ONNX"
)
_BY_SUFFIX = {
    ".keras": _KERAS,
    ".h5": _KERAS,
    ".hdf5": _KERAS,
    ".tflite": _TFLITE,
    ".lite": _TFLITE,
    ".pb": SAVED_MODEL.replace("SavedModel", "SavedModel or frozen graph"),
    ".mlmodel": CORE_ML,
    ".mlpackage": CORE_ML,
    ".mlmodelc": CORE_ML,
    ".joblib": _SKLEARN,
    ".engine": _TENSORRT,
    ".plan": _TENSORRT,
    ".trt": _TENSORRT,
    ".gguf": _GGUF,
    ".ggml": _GGUF,
    ".pdmodel": "a model of Paddle: export it to ONNX with paddle2onnx",
    ".pdparams": "the weights of a model of Paddle: export it to ONNX with paddle2onnx",
    ".msgpack": "a checkpoint of Flax: export the model to ONNX with jax2onnx",
    ".caffemodel": "a model of Caffe: export it to ONNX",
    ".ort": "a model in the format of ONNX Runtime: take the .onnx file that it was made from",
    ".pte": "a program of ExecuTorch: take the .pt2 that it was made from (kind 'torch_export')",
    ".xml": "a model of OpenVINO: take the model that it was made from, as ONNX",
}
_BY_START = {b"\x89HDF\r\n\x1a\n": _KERAS, b"GGUF": _GGUF}
# An archive, and the older format of torch.save.
_OF_PYTORCH = (b"PK", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9")
_LFS = "a pointer of Git LFS and not the file itself: get the file with git lfs pull"
_HTML = "a web page and not the file itself: download the file again"
START = 1 << 20
"""The number of bytes that tell the format."""


def foreign_format(path: str | None, content: bytes) -> str | None:
    """The name of a file's format and the way to export it; None for a format of PyTorch or ONNX.

    Args:
        path: The path, whose suffix tells the format of most files.
        content: The file, or its first bytes (``START`` of them or more).
    """
    if content.startswith(b"version https://git-lfs"):
        return _LFS
    if content[:64].lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return _HTML
    for start, name in _BY_START.items():
        if content.startswith(start):
            return name
    if content[4:8] == b"TFL3":
        return _TFLITE
    suffix = Path(path or "").suffix.lower()
    if suffix in _BY_SUFFIX and (suffix == ".keras" or not content.startswith(_OF_PYTORCH)):
        return _BY_SUFFIX[suffix]
    return _SKLEARN if _is_pickle_of_sklearn(content[:START]) else None


def foreign_folder(folder: Path) -> str:
    """The name of the format of a folder that stands in place of a model, and what to do."""
    if (folder / "saved_model.pb").is_file():
        return SAVED_MODEL
    if folder.suffix in (".mlpackage", ".mlmodelc"):
        return CORE_ML
    if (folder / "model_index.json").is_file():
        return (
            "a pipeline of diffusers, which makes images: name it as the source of a generator "
            "(kind 'diffusers', see docs/generators.md)"
        )
    files = sorted(
        path.name
        for pattern in ("*.safetensors", "*.onnx", "*.pt", "*.pth", "*.bin", "*.ckpt", "*.pt2")
        for path in folder.glob(pattern)
    )
    among = f" ({', '.join(files[:3])})" if files else ""
    return f"a folder: name the file of the model in it{among}"


def _is_pickle_of_sklearn(start: bytes) -> bool:
    if start.startswith((b"\x1f\x8b", b"\x78")):  # as joblib compresses
        try:
            start = zlib.decompressobj(47).decompress(start, START)
        except zlib.error:
            return False
    # Protocol 2 or later.
    return start.startswith(b"\x80") and not start.startswith(_OF_PYTORCH) and b"sklearn." in start
