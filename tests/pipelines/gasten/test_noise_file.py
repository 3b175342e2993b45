from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
import torch
from safetensors.torch import save

from borderline.errors import BorderlineError
from borderline.params import RunParams
from borderline.pipelines.gasten.nodes import make_test_noise
from borderline.pipelines.gasten.noise_file import read_noise
from borderline.pipelines.gasten.params import GenerationParams
from conftest import gan_params

NOISE = torch.arange(6.0).reshape(3, 2)


def npy(array: object) -> bytes:
    file = io.BytesIO()
    np.save(file, np.asarray(array))
    return file.getvalue()


def pt(value: object) -> bytes:
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        npy(NOISE.double().numpy()),
        npy(NOISE.numpy().astype(">f8")),
        pt(NOISE),
        pt({"z": NOISE.half()}),
        save({"latents": NOISE}),
    ],
)
def test_every_format_gives_the_vectors(content: bytes) -> None:
    noise = read_noise(content, 2)
    assert torch.equal(noise, NOISE)
    assert noise.dtype is torch.float32


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy(NOISE.T.numpy()), r"shape \(2, 3\).* \(N, 2\)"),
        (npy(np.zeros((4, 2, 1, 1))), r"shape \(4, 2, 1, 1\)"),
        (npy(np.zeros((0, 2))), r"shape \(0, 2\)"),
        (npy(np.zeros((3, 2), int)), "type torch.int64"),
        (npy([[1.0, np.nan]]), "not finite"),
        (npy([[1.0, 1e300]]), "not finite"),
        (npy(np.array([[None, "x"]], object)), "no file with one array"),
        (pt({"a": NOISE, "b": NOISE}), "no file with one array.*2 objects"),
        (pt([1, 2]), "no file with one array"),
        (pt(NOISE.to_sparse()), "no file with one array.*sparse"),
        (pt(NOISE.to("meta")), "no file with one array.*without values"),
        (pickle.dumps(print, 2), "no file with one array"),
        (save({"a": NOISE, "b": NOISE + 1}), "2 objects"),
        (b"1,2\n3,4", "no file with one array"),
    ],
)
def test_other_files_are_one_sentence(content: bytes, words: str) -> None:
    with pytest.raises(BorderlineError, match=f"generation.noise_file.*{words}"):
        read_noise(content, 2)


def test_noise_is_drawn_or_from_the_file(run: RunParams) -> None:
    generation, gan = (
        GenerationParams(images=9, test_noise=1),
        gan_params(latent_dim=2, batch_size=2),
    )
    drawn = make_test_noise(generation=generation, gan=gan, run=run)
    assert drawn["latents"].shape == (1, 2)
    read = make_test_noise(npy(NOISE.numpy()), generation=generation, gan=gan, run=run)
    assert torch.equal(read["latents"], NOISE)
