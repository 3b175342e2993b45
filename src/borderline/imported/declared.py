"""The images that the file of a network declares, and their comparison with the settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from borderline.errors import BorderlineError
from borderline.image_sizes import sides, spelled
from borderline.imported.params import Contract

Shape = Sequence[int | None]
"""The numbers of a declared shape, the batch first; None for a number that is left open."""

_CHANNELS = (1, 3)
_AXES = {"nchw": (1, 2, 3), "nhwc": (3, 1, 2)}


def settings_of_shape(shape: Shape) -> dict[str, Any]:
    """The settings of ``input`` that a declared shape fixes: ``layout``, ``channels``, ``size``.

    Rows of pixels (N, D) are those of a square image, unless the images have D values.

    Examples:
        >>> settings_of_shape((None, 28, 28, 1))
        {'layout': 'nhwc', 'channels': 1, 'size': 28}
        >>> settings_of_shape((1, 3, 48, 192))
        {'layout': 'nchw', 'channels': 3, 'size': [48, 192]}
        >>> settings_of_shape((None, 784))
        {'layout': 'flat_nchw', 'channels': 1, 'size': 28}
        >>> settings_of_shape((None, None, None, None))
        {}
    """
    if len(shape) == 2 and shape[1] is not None:
        return _settings_of_rows(shape[1])
    layouts = _layouts(shape)
    if len(layouts) != 1:
        return {}
    channels, height, width = (shape[axis] for axis in _AXES[layouts[0]])
    settings: dict[str, Any] = {"layout": layouts[0], "channels": channels}
    if height is not None and width is not None:
        settings["size"] = height if height == width else [height, width]
    return settings


def _layouts(shape: Shape) -> list[str]:
    if len(shape) != 4:
        return []
    return [layout for layout, axes in _AXES.items() if shape[axes[0]] in _CHANNELS]


def _settings_of_rows(pixels: int) -> dict[str, Any]:
    for channels in _CHANNELS:
        side = math.isqrt(pixels // channels)
        if channels * side**2 == pixels:
            return {**_layout_of_rows(channels), "channels": channels, "size": side}
    return {}


def _layout_of_rows(channels: int) -> dict[str, Any]:
    # The order of the axes makes no difference for one channel, and is unknown for three.
    return {"layout": "flat_nchw"} if channels == 1 else {}


def declared_for(
    shape: Shape | None, declared: Mapping[str, Any], image_shape: tuple[int, ...]
) -> Mapping[str, Any]:
    """The declared settings, in which rows of as many values as an image has are such images.

    Args:
        shape: The shape of the input; None where the file declares none.
        declared: The settings that the file declares.
        image_shape: Channels, height and width of the images.
    """
    if shape is None or len(shape) != 2 or shape[1] != math.prod(image_shape):
        return declared
    channels, *size = image_shape
    others = {name: value for name, value in declared.items() if name != "layout"}
    return {**others, **_layout_of_rows(channels), "channels": channels, "size": size}


def settings_to_try(
    shape: Shape | None, declared: Mapping[str, Any], image_shape: tuple[int, ...]
) -> list[dict[str, Any]]:
    """The settings of ``input`` that a model needs for images of another kind than it declares.

    These are several where a file leaves the order of the axes open, and none where a default
    setting or the images themselves agree with the file.

    Args:
        shape: The shape of its input; None where it declares none.
        declared: The settings that the file declares.
        image_shape: Channels, height and width of the images.
    """
    needed = {name: declared[name] for name in ("layout", "dtype") if name in declared}
    if needed.get("layout") == "nchw":
        del needed["layout"]
    if declared.get("channels", image_shape[0]) != image_shape[0]:
        needed |= {"channels": declared["channels"], "fit": True}
    if "size" in declared and sides(declared["size"]) != tuple(image_shape[1:]):
        needed |= {"size": declared["size"], "fit": True}
    if shape is not None and len(shape) == 2 and "layout" not in needed:
        return [{**needed, "layout": layout} for layout in ("flat_nhwc", "flat_nchw")]
    return [needed]


def check_declared(
    shape: Shape | None,
    declared: Mapping[str, Any],
    contract: Contract,
    image_shape: tuple[int, ...],
) -> None:
    """Check that the settings of the input agree with what the file declares.

    Args:
        shape: The shape of its input; None where it declares none.
        declared: The settings that the file declares.
        contract: The settings of the input.
        image_shape: Channels, height and width of the images.

    Raises:
        BorderlineError: When they differ; the sentence begins with ``input.`` or ``source.``.
    """
    if shape is not None:
        _check_shape(shape, contract)
    channels, size = contract.channels or image_shape[0], contract.shape or image_shape[1:]
    declared = declared_for(shape, declared, (channels, *size))
    layout = declared.get("layout", contract.layout)
    if layout != contract.layout and not (
        declared.get("channels") == 1 and layout[:4] == contract.layout[:4] == "flat"
    ):
        raise BorderlineError(
            f"input.layout is {contract.layout!r}, but the model takes images of shape "
            f"{_said(shape)}: set it to {layout!r}."
        )
    if contract.dtype != "uint8" and declared.get("dtype") == "uint8":
        raise BorderlineError(
            f"input.dtype is {contract.dtype!r}, but the model takes integers: set it to 'uint8', "
            "and input.range to [0, 255]."
        )
    if declared.get("channels", channels) != channels:
        raise BorderlineError(
            f"input.channels is {contract.channels}, but the model takes {declared['channels']} "
            f"and the images have {image_shape[0]}: set it to {declared['channels']}, and "
            "input.fit to true to convert the images for the model."
        )
    if "size" in declared and sides(declared["size"]) != tuple(size):
        height, width = sides(declared["size"])
        raise BorderlineError(
            f"input.size is {spelled(contract.size)}, but the model takes {height}x{width} pixels "
            f"and the images have {image_shape[1]}x{image_shape[2]}: set it to "
            f"{declared['size']}, and "
            "input.fit to true to resize the images for the model."
        )


def _check_shape(shape: Shape, contract: Contract) -> None:
    if len(shape) not in (2, 4):
        raise BorderlineError(
            f"source.path is a model whose input has the shape {_said(shape)}, but it gets batches "
            "of images (4 axes) or rows of pixels (2 axes): export it again with such an input."
        )
    if len(shape) == 2 and not contract.layout.startswith("flat"):
        raise BorderlineError(
            f"input.layout is {contract.layout!r}, but the model takes rows of "
            f"{shape[1] or 'any number of'} pixels: set it to 'flat_nhwc' if they come from images "
            "(height, width, channels), as in NumPy, or else to 'flat_nchw'."
        )
    if len(shape) == 4 and None not in (shape[1], shape[3]) and not _layouts(shape):
        raise BorderlineError(
            f"source.path is a model whose input has the shape {_said(shape)}, but it gets images "
            "of 1 or 3 channels: export it again with such an input."
        )


def _said(shape: Shape | None) -> str:
    return f"({', '.join('any' if number is None else str(number) for number in shape or ())})"
