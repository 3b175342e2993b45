"""A pipeline of the library diffusers as a generator: DDIM from noise to an image.

The way is deterministic (Song et al. 2021, with eta 0), so the first noise is the latent of an
image. Every part is a class of the library, and only its safetensors are read.
"""

from __future__ import annotations

import inspect
import json
import math
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from borderline.datasets.diffusers_folder import WEIGHTS, as_json, config_of, parts_of, unpacked
from borderline.datasets.limits import memory
from borderline.errors import BorderlineError, NotInstalled
from borderline.imported.module_network import ModuleNetwork
from borderline.imported.network import Network
from borderline.imported.params import GeneratorSource, Source

# Values that a step keeps for each pixel and channel of its first layer, all layers together.
_VALUES_PER_PIXEL = 64
_SHARE_OF_MEMORY = 0.25
_LARGEST_BATCH = 512
_MOST_VALUES = 2**26


class Decoder(nn.Module):
    """Noise (N, C, H, W) to images in [-1, 1], in a fixed number of steps.

    Args:
        denoiser: Predicts the noise, or what the scheduler says, in the image of a step.
        scheduler: The ``DDIMScheduler``, with its number of steps set.
        vae: Turns latents into images; None where the noise has the shape of the images.
    """

    def __init__(self, denoiser: Any, scheduler: Any, vae: Any) -> None:
        super().__init__()
        self.denoiser, self.vae, self.scheduler = denoiser, vae, scheduler
        self.times = [int(time) for time in scheduler.timesteps]

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        """The images; ``labels`` are classes, int64 (N,), of a pipeline that takes some."""
        size = self._batch_size(noise)
        classes = (None,) * len(noise.split(size)) if labels is None else labels.split(size)
        batches = zip(noise.split(size), classes, strict=True)
        return torch.cat([self._decoded(batch, label) for batch, label in batches])

    def _decoded(self, images: Tensor, labels: Tensor | None) -> Tensor:
        channels = images.shape[1]
        named = {} if labels is None else {"class_labels": labels}
        for time in self.times:
            times = torch.full((len(images),), time, device=images.device)
            predicted = self.denoiser(images, timestep=times, **named).sample
            # Some networks predict a variance too, which DDIM does not need.
            predicted = predicted[:, :channels]
            images = self.scheduler.step(predicted, time, images, eta=0.0).prev_sample
        if self.vae is not None:
            images = self.vae.decode(images / self.vae.config.scaling_factor).sample
        return images.clamp(-1, 1)

    def _batch_size(self, noise: Tensor) -> int:
        """Images at once that fit into the memory, a power of two."""
        free = memory()
        if noise.device.type == "cuda":
            free = torch.cuda.mem_get_info(noise.device)[0]
        if torch.is_grad_enabled() and noise.requires_grad:
            # Gradients need the values of all steps.
            free //= len(self.times)
        takes = 4 * _VALUES_PER_PIXEL * self._values(noise)
        fitting = max(1, min(_LARGEST_BATCH, int(_SHARE_OF_MEMORY * free / takes)))
        return 1 << (fitting.bit_length() - 1)

    def _values(self, noise: Tensor) -> int:
        """The values of the widest layer for an image, about."""
        height, width = noise.shape[2:]
        values: int = height * width * _first_width(self.denoiser.config)
        if self.vae is None:
            return values
        widths = self.vae.config.block_out_channels
        scale = 2 ** (len(widths) - 1)
        decoded: int = height * width * scale**2 * widths[0]
        return max(values, decoded)


def _first_width(config: Any) -> int:
    widths = config.get("block_out_channels")
    heads = config.get("num_attention_heads", 1) * config.get("attention_head_dim", 1)
    width: int = widths[0] if widths else heads
    return width


class DiffusersNetwork(ModuleNetwork):
    """A pipeline of diffusers, whose latents are its first noise."""

    def __init__(self, decoder: Decoder, latent_shape: tuple[int, ...], classes: int | None):
        super().__init__(decoder)
        self.latent_shape, self.passes_per_image = latent_shape, len(decoder.times)
        self.classes = classes or 0

    def forward(self, images: Tensor, *labels: Tensor, **named: Tensor) -> Any:
        """The images of first noises (N, C, H, W)."""
        return self.module(images, *labels, *named.values())


def read(source: Source, content: bytes) -> Network:
    """The pipeline in an archive of its folder."""
    assert isinstance(source, GeneratorSource)
    assert source.steps is not None
    try:
        import diffusers
    except ModuleNotFoundError as error:
        raise NotInstalled(
            "kind is 'diffusers', but the library diffusers is not installed: run "
            "`pip install 'borderline[diffusion]'`."
        ) from error
    diffusers.utils.logging.set_verbosity_error()
    diffusers.utils.logging.disable_progress_bar()
    try:
        files = unpacked(content)
        _, parts = parts_of(files.get("model_index.json", b""))
        built = {name: _part(diffusers, name, kind, files) for name, kind in parts.items()}
    except BorderlineError as error:
        raise BorderlineError(f"path is {source.path!r}, {error}") from error
    scheduler = built["scheduler"]
    train_steps = int(scheduler.config.num_train_timesteps)
    if source.steps > train_steps:
        raise BorderlineError(
            f"steps is {source.steps}, but the pipeline was trained with {train_steps} steps of "
            f"noise: set it to at most {train_steps}."
        )
    scheduler.set_timesteps(source.steps)
    denoiser = built.get("unet") or built["transformer"]
    shape, classes = _latent_shape(source, denoiser), _classes(denoiser)
    decoder = Decoder(denoiser, scheduler, built.get("vae") or built.get("vqvae"))
    return DiffusersNetwork(decoder, shape, classes)


def _latent_shape(source: Source, denoiser: Any) -> tuple[int, ...]:
    sides = denoiser.config.sample_size
    sides = (sides, sides) if isinstance(sides, int) else tuple(sides or ())
    shape = (denoiser.config.in_channels, *sides)
    if len(sides) != 2 or not all(type(side) is int and side > 0 for side in shape):
        raise BorderlineError(
            f"path is {source.path!r}, whose denoiser has the sample_size "
            f"{denoiser.config.sample_size} and {denoiser.config.in_channels} channels: set both "
            "in its config.json to whole numbers from 1 on, those of its training."
        )
    if math.prod(shape) > _MOST_VALUES:
        raise BorderlineError(
            f"path is {source.path!r}, whose noise has the shape {list(shape)}, which is too "
            "large: correct sample_size in the config.json of its denoiser."
        )
    return shape


def _classes(denoiser: Any) -> int | None:
    """The number of classes that a denoiser takes; None where it takes none."""
    config = denoiser.config
    if config.get("class_embed_type") is not None:
        raise BorderlineError(
            f"path names a pipeline whose class_embed_type is {config.class_embed_type!r}, but "
            "only numbered classes (num_class_embeds) can be decoded: choose another pipeline."
        )
    classes: int | None = config.get("num_class_embeds") or config.get("num_embeds_ada_norm")
    return classes


def _part(diffusers: Any, name: str, kind: str, files: dict[str, bytes]) -> Any:
    """A part of a pipeline, built and with its weights; errors begin with "whose"."""
    place = config_of(name)
    config = as_json(files.get(place, b""), place)
    if name == "scheduler":
        return _scheduler(diffusers, config, kind)
    if config.get("_class_name") != kind:
        raise BorderlineError(
            f"whose {place} is of {config.get('_class_name')!r}, but its model_index.json says "
            f"{kind!r}: save it again with pipeline.save_pretrained(folder)."
        )
    if any(key in config for key in ("quantization_config", "auto_map")):
        raise BorderlineError(
            f"whose {place} asks for quantized weights or code of its own: save the pipeline "
            "without them."
        )
    kind = "DiTTransformer2DModel" if kind == "Transformer2DModel" else kind
    own = {
        file.partition("/")[2]: content
        for file, content in files.items()
        if file.startswith(f"{name}/") and Path(file).name.startswith("diffusion_pytorch_model")
    }
    # The library reads weights from folders only, and knows the names in files of its past.
    with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
        for file, content in {"config.json": json.dumps(config).encode(), **own}.items():
            (Path(folder) / Path(file).name).write_bytes(content)
        try:
            part, report = getattr(diffusers, kind).from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                low_cpu_mem_usage=False,
                output_loading_info=True,
            )
        # The errors of the library about impossible settings have many types.
        except Exception as error:
            reason = " ".join(str(error).split())[:160].rstrip(".: ").replace(folder, name)
            raise BorderlineError(
                f"whose {name} cannot be built of its config and {WEIGHTS} ({reason}): save it "
                "again with pipeline.save_pretrained(folder)."
            ) from error
    missing = list(report["missing_keys"])
    if missing:
        raise BorderlineError(
            f"whose {name} lacks weights ({', '.join(missing[:3])}): save it again with "
            "pipeline.save_pretrained(folder)."
        )
    # Walks follow the gradients of latents, and need none of weights.
    return part.float().eval().requires_grad_(False)


def _scheduler(diffusers: Any, config: dict[str, Any], kind: str) -> Any:
    ddim = diffusers.DDIMScheduler
    # The last one has another scale of noise.
    known = {*ddim._compatibles} - {"EDMEulerScheduler"}
    if kind not in known or config.get("_class_name") not in (kind, None):
        raise BorderlineError(
            f"whose scheduler is {kind!r} ({config.get('_class_name')!r} in its own file), which "
            "DDIM cannot take the place of: choose a pipeline that predicts noise, such as one "
            "with DDPMScheduler."
        )
    predicts = "a flow" if config.get("use_flow_sigmas") else config.get("prediction_type")
    if predicts not in (None, "epsilon", "sample", "v_prediction"):
        raise BorderlineError(
            f"whose network predicts {predicts!r} by its scheduler_config.json, which DDIM cannot "
            "use: choose a pipeline that predicts noise."
        )
    own = {n: v for n, v in config.items() if n not in ("_class_name", "_use_default_values")}
    try:
        return ddim.from_config({**_usual(getattr(diffusers, kind)), **own})
    except Exception as error:
        reason = " ".join(str(error).split())[:160].rstrip(".: ")
        raise BorderlineError(
            f"whose scheduler_config.json is not valid ({reason}): save it again with "
            "pipeline.save_pretrained(folder)."
        ) from error


def _usual(scheduler: Any) -> dict[str, Any]:
    """The settings that a scheduler has where its file leaves them out."""
    arguments = inspect.signature(scheduler.__init__).parameters.values()
    usual = {a.name: a.default for a in arguments if a.default is not a.empty}
    # DDIM clips its images by default, and schedulers without the setting never do.
    return {"clip_sample": False, **usual}
