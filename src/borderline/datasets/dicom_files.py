"""DICOM files: rescaled and windowed as a viewer shows them."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from borderline.datasets.picture import PackageMissing, Picture, in_8_bits
from borderline.datasets.reading import Unreadable
from borderline.datasets.scale import Scale

if TYPE_CHECKING:
    from pydicom import Dataset

_DEFLATED, _META = b"1.2.840.10008.1.2.1.99", 4096
_GREY = ("MONOCHROME1", "MONOCHROME2")
_FUNCTIONAL_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_OF_SHADES = ("PixelValueTransformationSequence", "FrameVOILUTSequence")


def decoded_dicom(name: str, dataset: Dataset, scale: Scale | None) -> Picture:
    """Decode a DICOM file of one frame.

    The values are rescaled (modality LUT), and the first window is applied (VOI LUT). Without a
    window, the scale is that of all values that the file could hold. ``MONOCHROME1`` is inverted.

    Args:
        name: The name of the file in messages.
        dataset: The file.
        scale: The rescaled values of black and white in place of the window; values beyond them
            are cut off, as a window does. None for the window.

    Raises:
        PackageMissing: When pydicom's plug-in for the compression is not installed.
        Unreadable: When the file holds several frames.
    """
    from pydicom.pixels.processing import apply_color_lut

    pixels = _pixels(name, dataset)
    kind, bits = str(dataset.PhotometricInterpretation), int(dataset.BitsAllocated)
    if kind == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        bits = pixels.dtype.itemsize * 8
    if pixels.ndim == 3 and pixels.shape[-1] == 3:
        return _cut(in_8_bits(pixels.astype(np.int64), scale, bits))
    if kind not in _GREY or pixels.ndim != 2:
        raise Unreadable(f"its pixels are {kind} of shape {pixels.shape}")
    values, shown = _shades(pixels, dataset, windowed=scale is None)
    return _cut(in_8_bits(values, scale or shown, bits, inverted=kind == "MONOCHROME1"))


def read_dicom(name: str, content: bytes) -> Dataset:
    """Read a DICOM file; its pixels are not decoded.

    Args:
        name: The name of the file in messages.
        content: The bytes of the file.

    Raises:
        PackageMissing: When pydicom is not installed.
        Unreadable: When the file holds no image.
    """
    try:
        import pydicom
    except ModuleNotFoundError as error:
        raise PackageMissing(
            f"{name} is a DICOM file, which needs the package pydicom: install it "
            "(pip install 'borderline[dicom]')."
        ) from error
    # pydicom inflates such a file without a limit.
    if _DEFLATED in content[:_META]:
        raise Unreadable("its data set is deflated: save it uncompressed")
    dataset = pydicom.dcmread(BytesIO(content), force=True)
    if "PixelData" not in dataset:
        raise Unreadable("it holds no image")
    samples = int(dataset.get("SamplesPerPixel") or 1)
    if samples not in (1, 3, 4):
        raise Unreadable(f"it has {samples} values for a pixel")
    return dataset


def _pixels(name: str, dataset: Dataset) -> np.ndarray:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.utils import pixel_array
    from pydicom.uid import ImplicitVRLittleEndian

    frames = int(dataset.get("NumberOfFrames") or 1)
    if frames > 1:
        raise Unreadable(f"it holds {frames} frames, but one is needed: save each in a file")
    # Files without a header have this encoding.
    syntax = dataset.file_meta.setdefault("TransferSyntaxUID", ImplicitVRLittleEndian).value
    if syntax.is_compressed:
        try:
            can_be_decoded = get_decoder(syntax).is_available
        except NotImplementedError:
            can_be_decoded = False
        if not can_be_decoded:
            raise PackageMissing(
                f"{name} is a DICOM file whose pixels are compressed ({syntax.name}), which needs "
                "a plug-in of pydicom: install one (pip install pylibjpeg[all]), or save the files "
                "uncompressed."
            )
    return pixel_array(dataset)


def _shades(pixels: np.ndarray, dataset: Any, windowed: bool) -> tuple[np.ndarray, Scale]:
    """Rescaled and, if wanted, windowed values (H, W), and those of black and white."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    for groups in _FUNCTIONAL_GROUPS:
        for group in dataset.get(groups) or []:
            for sequence in _OF_SHADES:
                for item in group.get(sequence) or []:
                    dataset.update(item)
    values = apply_modality_lut(pixels, dataset)
    stored = int(dataset.BitsStored)
    first = -(2 ** (stored - 1)) if dataset.PixelRepresentation else 0
    ends = [float(first), float(first + 2**stored - 1)]
    if dataset.get("ModalityLUTSequence"):
        ends = [0.0, 2.0 ** dataset.ModalityLUTSequence[0].LUTDescriptor[2] - 1]
    elif dataset.get("RescaleSlope") is not None and dataset.get("RescaleIntercept") is not None:
        slope, intercept = float(dataset.RescaleSlope), float(dataset.RescaleIntercept)
        ends = [end * slope + intercept for end in ends]
    if windowed:
        values = apply_voi_lut(values, dataset)
        if dataset.get("VOILUTSequence"):
            ends = [0.0, 2.0 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1]
        elif dataset.get("WindowWidth") is not None and ends[0] > ends[1]:
            # With a negative slope, pydicom's window begins at the greatest value.
            values = sum(ends) - values
    return values, (min(ends), max(ends))


def _cut(picture: Picture) -> Picture:
    """A picture whose span ends at its scale, because a window has no values beyond."""
    (low, high), span = picture.span.scale, picture.span
    within = [min(max(value, low), high) for value in (span.least, span.greatest)]
    within_span = span._replace(least=within[0], greatest=within[1])
    return picture._replace(span=within_span, windowed=True)
