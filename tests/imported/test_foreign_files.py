"""Files of other libraries are called by name, with the way to export them."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from borderline.errors import BorderlineError
from borderline.imported.file_kinds import kind_of_model
from borderline.imported.foreign_files import foreign_format
from borderline.imported.kinds import read_network
from conftest import imported_source
from elsewhere import Net, saved

SKLEARN = pickle.dumps(LogisticRegression())
FILES = {
    "m.keras": (b"PK\x03\x04", "a model of Keras", "export"),
    "m.h5": (b"\x89HDF\r\n\x1a\n", "a model of Keras", "tf2onnx"),
    "weights.bin": (b"\x89HDF\r\n\x1a\n", "a model of Keras", "tf2onnx"),
    "m.tflite": (b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite", "tf2onnx.convert --tflite"),
    "m.mlmodel": (b"\x08\x04", "Core ML", "ONNX"),
    "frozen.pb": (b"\x08\x04", "TensorFlow", "tf2onnx"),
    "m.joblib": (b"\x80\x04", "scikit-learn", "zipmap"),
    "m.pkl": (SKLEARN, "scikit-learn", "predict_proba"),
    "m.engine": (b"ftrt", "TensorRT", "built from"),
    "m.gguf": (b"GGUF\x03", "GGUF", "safetensors"),
    "m.onnx": (b"version https://git-lfs.github.com/spec/v1", "Git LFS", "git lfs pull"),
}


@pytest.mark.parametrize("name", FILES)
def test_file_of_another_library(name: str, tmp_path: Path) -> None:
    content, called, remedy = FILES[name]
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(BorderlineError, match=f"model is .*{name}', which is .*{called}.*{remedy}"):
        kind_of_model(str(file), None, trust=True)
    source = imported_source("onnx", path=name)
    with pytest.raises(BorderlineError, match=f"source.path is '{name}', which is .*{called}"):
        read_network(source, content)


@pytest.mark.parametrize("kind", ["pickle", "state_dict"])
@pytest.mark.parametrize("name", ["m.pkl", "m.h5", "m.joblib"])
def test_file_of_pytorch_under_any_name(kind: str, name: str) -> None:
    assert foreign_format(name, saved(kind, Net(), torch.zeros(2, 1, 12, 12))) is None


def test_folders(tmp_path: Path) -> None:
    (tmp_path / "tensorflow").mkdir()
    (tmp_path / "tensorflow/saved_model.pb").touch()
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub/model.safetensors").touch()
    (tmp_path / "m.mlpackage").mkdir()
    expected = {
        "tensorflow": "SavedModel of TensorFlow: export it to ONNX",
        "hub": r"a folder: name the file of the model in it \(model.safetensors\)",
        "m.mlpackage": "Core ML",
    }
    for name, words in expected.items():
        with pytest.raises(BorderlineError, match=words):
            kind_of_model(str(tmp_path / name), None, trust=True)
