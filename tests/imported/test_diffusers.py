from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from borderline.datasets import DiffusersFolder, ModelDataset
from borderline.errors import BorderlineError, NotInstalled
from borderline.imported.kinds import diffusers as kind
from borderline.pipelines.gasten.imported_generator import ImportedGenerator, check_generator
from conftest import generator_settings, imported_source
from diffusion_folders import SIZE, write_pipeline

diffusers = pytest.importorskip("diffusers")
STEPS = 4
SHAPE = (1, 28, 28)
LABELS = {"negative": 2, "positive": 0}
KINDS: dict[str, dict[str, Any]] = {
    "DDPMPipeline": {},
    "DDIMPipeline": {},
    "LDMPipeline": {},
    "DiTPipeline": {"labels": LABELS},
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pipelines")
    return {name: write_pipeline(folder / name, name) for name in KINDS}


def settings_of(folder: Path, steps: int = STEPS, **changed: Any) -> Any:
    source = {"kind": "diffusers", "path": str(folder), "steps": steps}
    return generator_settings("imported", source=source, **{"fit": True, **changed})


def generator_of(folder: Path, **changed: Any) -> ImportedGenerator:
    content = DiffusersFolder(filepath=str(folder), setting="path").load()
    return ImportedGenerator(settings_of(folder, **changed), content, SHAPE)


def latents(generator: ImportedGenerator, count: int = 5) -> Tensor:
    return torch.randn(count, generator.latent_dim, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", KINDS)
def test_every_pipeline_becomes_a_generator(folders: dict[str, Path], name: str) -> None:
    generator = generator_of(folders[name], **KINDS[name])
    check_generator(generator, SHAPE)
    assert generator.passes_per_image == STEPS
    channels = 1 if name.startswith("DD") else 3
    assert generator.latent_shape == (channels, SIZE, SIZE)
    z = latents(generator)
    with torch.no_grad():
        images, own = generator(z), generator.own_images(z)
        # One alone is the same as in a batch.
        torch.testing.assert_close(generator(z[:1]), images[:1], atol=1e-4, rtol=1e-4)
        assert generator(z[:0]).shape == (0, *SHAPE)
    assert images.shape == (5, *SHAPE)
    assert own.abs().max() <= 1
    z = z.requires_grad_(True)
    (gradient,) = torch.autograd.grad(generator(z).sum(), z)
    assert gradient.abs().sum() > 0


def test_images_are_those_of_the_library(folders: dict[str, Path]) -> None:
    generator = generator_of(folders["DDIMPipeline"])
    pipeline = diffusers.DDIMPipeline.from_pretrained(folders["DDIMPipeline"])
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = diffusers.DDIMScheduler.from_config(pipeline.scheduler.config)
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(3, 1, SIZE, SIZE, generator=random)
    theirs = pipeline(
        batch_size=3,
        generator=random.manual_seed(0),
        num_inference_steps=STEPS,
        output_type="np",
    ).images
    with torch.no_grad():
        ours = generator.own_images(noise.flatten(1))
    expected = torch.from_numpy(theirs).permute(0, 3, 1, 2) * 2 - 1
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["PNDMScheduler", "EulerDiscreteScheduler", "DDPMScheduler"])
def test_images_are_clipped_only_where_the_scheduler_clips(tmp_path: Path, kind: str) -> None:
    folder = write_pipeline(tmp_path / "pipeline")
    scheduler = getattr(diffusers, kind)(num_train_timesteps=100)
    scheduler.save_pretrained(folder / "scheduler")
    changed_config(folder, "model_index.json", scheduler=["diffusers", kind])
    decoder = generator_of(folder).network.module
    assert decoder.scheduler.config.clip_sample == (kind == "DDPMScheduler")
    # A file may leave out the settings that its own class has anyway.
    own = json.loads((folder / SCHEDULER).read_text())
    del own["timestep_spacing"]
    (folder / SCHEDULER).write_text(json.dumps(own))
    spacing = generator_of(folder).network.module.scheduler.config.timestep_spacing
    assert spacing == scheduler.config.timestep_spacing


def test_images_with_a_class_are_those_of_the_library(folders: dict[str, Path]) -> None:
    generator = generator_of(folders["DiTPipeline"], **KINDS["DiTPipeline"])
    pipeline = diffusers.DiTPipeline.from_pretrained(folders["DiTPipeline"])
    pipeline.set_progress_bar_config(disable=True)
    pipeline.scheduler = diffusers.DDIMScheduler.from_config(pipeline.scheduler.config)
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(2, 3, SIZE, SIZE, generator=random)
    theirs = pipeline(
        class_labels=[2, 0],
        guidance_scale=1.0,
        generator=random.manual_seed(0),
        num_inference_steps=STEPS,
        output_type="np",
    ).images
    sides = torch.tensor([[-0.3], [0.4]])
    with torch.no_grad():
        ours = generator.own_images(torch.cat([noise.flatten(1), sides], 1))
        exchanged = generator.own_images(torch.cat([noise.flatten(1), -sides], 1))
    expected = torch.from_numpy(theirs).permute(0, 3, 1, 2) * 2 - 1
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)
    assert (exchanged - expected).abs().max() > 0.01


def test_a_stored_generator_needs_its_folder_no_more(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    generator = generator_of(folders["LDMPipeline"])
    dataset = ModelDataset(filepath=str(tmp_path / "generator.safetensors"))
    dataset.save(generator)
    again = dataset.load()
    assert torch.equal(again(latents(again)), generator(latents(generator)))
    # It runs no code of its file, so no tag of this project is asked for.
    other = ModelDataset(filepath=str(tmp_path / "generator.safetensors"))
    assert other.load().latent_dim == generator.latent_dim


def test_classes_of_a_unet_need_labels(tmp_path: Path) -> None:
    folder = write_pipeline(tmp_path / "classes", num_class_embeds=4)
    with pytest.raises(BorderlineError, match="labels is None, but this pipeline is told which"):
        generator_of(folder)
    with pytest.raises(BorderlineError, match=r"labels.negative is 4, .* one from 0 to 3"):
        generator_of(folder, labels={"negative": 4, "positive": 0})
    check_generator(generator_of(folder, labels=LABELS), SHAPE)


def changed_config(folder: Path, file: str, **changed: Any) -> None:
    config = json.loads((folder / file).read_text()) | changed
    (folder / file).write_text(json.dumps(config))


def without_a_weight(folder: Path) -> None:
    file = folder / "unet/diffusion_pytorch_model.safetensors"
    weights = load_file(file)
    del weights["conv_out.bias"]
    save_file(weights, file)


def half_written(folder: Path) -> None:
    file = folder / "unet/diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


UNET, SCHEDULER = "unet/config.json", "scheduler/scheduler_config.json"
FAULTS: dict[str, tuple[Any, dict[str, Any], str]] = {
    "too many steps": (None, {"steps": 101}, "source.steps is 101, but .* at most 100"),
    "half written": (half_written, {}, "unet cannot be built"),
    "a weight is missing": (without_a_weight, {}, r"unet lacks weights \(conv_out.bias\)"),
    "foreign class": (
        lambda f: changed_config(f, UNET, _class_name="Mine"),
        {},
        "of 'Mine', but its model_index.json says 'UNet2DModel'",
    ),
    "other sizes": (
        lambda f: changed_config(f, UNET, block_out_channels=[16, 16]),
        {},
        "unet cannot be built",
    ),
    "code": (lambda f: changed_config(f, UNET, auto_map={"A": "a.A"}), {}, "code of its own"),
    "no size": (lambda f: changed_config(f, UNET, sample_size=None), {}, "the sample_size None"),
    "huge": (lambda f: changed_config(f, UNET, sample_size=10**6), {}, "too large"),
    "flow": (
        lambda f: changed_config(f, SCHEDULER, prediction_type="flow_prediction"),
        {},
        "predicts 'flow_prediction'",
    ),
    "other scheduler": (
        lambda f: (
            changed_config(f, SCHEDULER, _class_name="FlowMatchEulerDiscreteScheduler"),
            changed_config(
                f, "model_index.json", scheduler=["diffusers", "FlowMatchEulerDiscreteScheduler"]
            ),
        ),
        {},
        "scheduler is 'FlowMatchEulerDiscreteScheduler'",
    ),
    "bad scheduler": (
        lambda f: changed_config(f, SCHEDULER, beta_schedule="mine"),
        {},
        "scheduler_config.json is not valid",
    ),
    "other shape": (None, {"latent_shape": [1, 4, 4]}, r"latent_shape is \[1, 4, 4\]"),
    "other length": (None, {"latent_dim": 7}, "latent_dim is 7"),
    "no class": (None, {"labels": LABELS}, "this pipeline takes no class"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_pipeline_that_does_not_fit_is_refused(tmp_path: Path, fault: str) -> None:
    spoil, changed, words = FAULTS[fault]
    folder = write_pipeline(tmp_path / "ddpm")
    if spoil is not None:
        spoil(folder)
    with pytest.raises(BorderlineError, match=words):
        generator_of(folder, **changed)


@pytest.mark.parametrize(
    ("file", "changed"), [(UNET, {"sample_size": 7}), (SCHEDULER, {"steps_offset": 100})]
)
def test_a_pipeline_that_cannot_take_its_own_noise_is_named(
    tmp_path: Path, file: str, changed: dict[str, int]
) -> None:
    folder = write_pipeline(tmp_path / "pipeline")
    changed_config(folder, file, **changed)
    with pytest.raises(BorderlineError, match=r"^source.path is a pipeline that cannot take"):
        check_generator(generator_of(folder), SHAPE)


def test_images_of_another_size_need_fit(folders: dict[str, Path]) -> None:
    with pytest.raises(BorderlineError, match=r"set fit to true, or set source\.size"):
        check_generator(generator_of(folders["DDPMPipeline"], fit=False), SHAPE)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"source": {"kind": "diffusers", "path": "x"}}, "so set steps, such as 20"),
        ({"source": {"kind": "diffusers", "path": "x", "steps": 0}}, "greater than or equal to 1"),
        ({"source": {"kind": "pickle", "path": "x", "trust": True, "steps": 3}}, "so remove them"),
        ({"source": {"kind": "diffusers", "path": "x", "steps": 3, "trust": True}}, "has no trust"),
        ({"source": {"kind": "diffusers", "path": None, "steps": 3}}, "so set path"),
        ({"latents": "uniform"}, "latents is 'uniform', but a pipeline"),
        ({"range": (0, 1)}, "remove range"),
    ],
)
def test_settings_that_do_not_fit_the_kind(changed: dict[str, Any], words: str) -> None:
    source = {"kind": "diffusers", "path": "x", "steps": 3}
    with pytest.raises(ValueError, match=words):
        generator_settings("imported", **{"source": source, **changed})


def test_a_pipeline_is_no_model_under_test() -> None:
    with pytest.raises(ValueError, match="makes images and classifies none"):
        imported_source("diffusers", path="x")


def test_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "diffusers", None)
    with pytest.raises(NotInstalled, match=r"pip install 'borderline\[diffusion\]'"):
        kind.read(settings_of(Path("x")).source, b"")
