"""Tiny pipelines of diffusers with random weights, as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

SIZE = 8


def write_pipeline(folder: Path, kind: str = "DDPMPipeline", **changed: Any) -> Path:
    """Write a pipeline as ``save_pretrained`` does; ``changed`` are settings of its denoiser."""
    import diffusers

    torch.manual_seed(0)
    scheduler = diffusers.DDPMScheduler(num_train_timesteps=100)
    if kind == "DiTPipeline":
        denoiser = diffusers.DiTTransformer2DModel(
            **{
                "num_attention_heads": 2,
                "attention_head_dim": 8,
                "in_channels": 3,
                "out_channels": 6,
                "num_layers": 1,
                "sample_size": SIZE,
                "norm_num_groups": 4,
                "num_embeds_ada_norm": 3,
                **changed,
            }
        )
        # Trained weights depend on the class; new ones ignore it.
        torch.nn.init.normal_(denoiser.transformer_blocks[0].norm1.linear.weight, std=0.2)
        torch.nn.init.normal_(denoiser.proj_out_1.weight, std=0.2)
        torch.nn.init.normal_(denoiser.proj_out_2.weight, std=0.2)
        parts = {"transformer": denoiser, "vae": _autoencoder(diffusers)}
    else:
        parts = {"unet": _unet(diffusers, 3 if kind == "LDMPipeline" else 1, changed)}
    if kind == "LDMPipeline":
        parts["vqvae"] = diffusers.VQModel(
            block_out_channels=(8, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            norm_num_groups=4,
            latent_channels=3,
            num_vq_embeddings=16,
        )
    getattr(diffusers, kind)(**parts, scheduler=scheduler).save_pretrained(folder)
    return folder


def _unet(diffusers: Any, channels: int, changed: dict[str, Any]) -> Any:
    settings = {
        "sample_size": SIZE,
        "in_channels": channels,
        "out_channels": channels,
        "layers_per_block": 1,
        "block_out_channels": (8, 8),
        "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
        "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
        "norm_num_groups": 4,
    }
    return diffusers.UNet2DModel(**{**settings, **changed})


def _autoencoder(diffusers: Any) -> Any:
    return diffusers.AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        latent_channels=3,
    )
