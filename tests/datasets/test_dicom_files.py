"""DICOM files are shown as a viewer shows them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import DatasetError
from pydicom.dataset import Dataset
from pydicom.uid import JPEGLSLossless

from borderline.datasets import ImageSource
from borderline.datasets.decoding import Unreadable, decoded
from borderline.datasets.picture import PackageMissing
from sources import OF_12_BITS, dicom


def row(content: bytes, scale: tuple[float, float] | None = None, name: str = "a.dcm") -> list[Any]:
    pixels: list[Any] = np.asarray(decoded(name, content, scale).image)[0].tolist()
    return pixels


def groups(**tags: Any) -> list[Dataset]:
    """Functional groups, as files of the enhanced kind hold them."""
    group = Dataset()
    for sequence, values in tags.items():
        item = Dataset()
        item.update(values)
        setattr(group, sequence, [item])
    return [group]


def values(**tags: Any) -> Dataset:
    dataset = Dataset()
    for tag, value in tags.items():
        setattr(dataset, tag, value)
    return dataset


WINDOW = {"WindowCenter": 100.5, "WindowWidth": 201}
CT = {"RescaleSlope": 1, "RescaleIntercept": -1000}


@pytest.mark.parametrize(
    ("tags", "scale", "expected"),
    [
        ({}, None, [0, 6, 12, 255]),
        (WINDOW, None, [0, 128, 255, 255]),
        (WINDOW | {"PhotometricInterpretation": "MONOCHROME1"}, None, [255, 127, 0, 0]),
        # The first of two windows.
        ({"WindowCenter": [100.5, 0.5], "WindowWidth": [201, 3]}, None, [0, 128, 255, 255]),
        (CT | {"WindowCenter": -899.5, "WindowWidth": 201}, None, [0, 128, 255, 255]),
        (CT, (-1000, -800), [0, 128, 255, 255]),
        (CT | WINDOW, (-1000, -800), [0, 128, 255, 255]),
        (
            {"RescaleSlope": -1, "RescaleIntercept": 0, "WindowCenter": -99.5, "WindowWidth": 201},
            None,
            [255, 128, 0, 0],
        ),
        (
            {
                "SharedFunctionalGroupsSequence": groups(
                    FrameVOILUTSequence=values(WindowCenter=-899.5, WindowWidth=201),
                    PixelValueTransformationSequence=values(**CT),
                )
            },
            None,
            [0, 128, 255, 255],
        ),
        (
            {
                "VOILUTSequence": [
                    values(LUTDescriptor=[3, 99, 8], LUTData=b"\0\0\x32\0\xff\0"),
                ]
            },
            None,
            [0, 50, 255, 255],
        ),
    ],
)
def test_values_are_rescaled_and_windowed(
    tags: dict[str, Any], scale: tuple[float, float] | None, expected: list[int]
) -> None:
    assert row(dicom(**tags), scale) == pytest.approx(expected, abs=1)


def test_signed_values_and_colours() -> None:
    signed = np.array([[-2048, 0, 2047]])
    assert row(dicom(signed, PixelRepresentation=1)) == [0, 128, 255]
    colours = np.array([[[255, 0, 9], [0, 0, 255]]])
    assert row(dicom(colours, BitsAllocated=8, BitsStored=8)) == colours[0].tolist()


def test_file_without_a_header_is_known_by_its_suffix() -> None:
    assert row(dicom(header=False)) == [0, 6, 12, 255]


def test_frames_and_files_without_an_image_are_unreadable() -> None:
    frames = np.concatenate([OF_12_BITS] * 3)
    with pytest.raises(Unreadable, match="it holds 3 frames, but one is needed"):
        row(dicom(frames, Rows=2, NumberOfFrames=3))
    with pytest.raises(Unreadable, match="it holds no image"):
        row(b"no dicom at all", name="a.DCM")


def test_header_of_more_pixels_than_the_limit() -> None:
    with pytest.raises(Unreadable, match=r"180 megapixels \(60000x60000\).*most_megapixels"):
        decoded("a.dcm", dicom(Rows=60_000, Columns=60_000), None)


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        PackageMissing, match=r"a.dcm .*compressed \(JPEG-LS.*pip install pylibjpeg"
    ):
        row(dicom(syntax=JPEGLSLossless))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(PackageMissing, match=r"pip install 'borderline\[dicom\]'"):
        row(dicom())


@pytest.mark.parametrize("names", [("a.dcm", "b.DCM"), ("IM000001", "1.2.840.113")])
def test_folder_of_dicom_files(tmp_path: Path, names: tuple[str, str]) -> None:
    for label, folder in enumerate(("ill", "well")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "LICENSE").write_text("no image " * 20)
        for name in names:
            content = dicom(np.full((8, 8), 4095 * label))
            (tmp_path / folder / name).write_bytes(content)
    source = ImageSource(kind="image_folder", path=str(tmp_path)).load()
    assert source.train["images"].shape == (4, 1, 8, 8)
    assert source.train["images"][:, 0, 0, 0].tolist() == [-1, -1, 1, 1]


def test_missing_package_is_no_broken_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ill").mkdir()
    (tmp_path / "ill/a.dcm").write_bytes(dicom())
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(DatasetError, match="needs the package pydicom"):
        ImageSource(kind="image_folder", path=str(tmp_path), broken="leave_out").load()
