"""Settings of models that were trained elsewhere: their files, inputs and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from borderline.params import Mark, Params

SourceKind = Literal["torch_export", "torchscript", "state_dict", "pickle", "onnx", "callable"]
NEED_A_CLASS = ("state_dict", "callable")

JUDGE = "judge"
"""A value of ``embedding``: the judge's features instead of a layer of the model."""


class Source(Params):
    """The file or code of a network.

    Attributes:
        kind: ``torch_export`` (a .pt2 of ``torch.export.save``), ``torchscript``, ``state_dict``,
            ``pickle`` (a module of ``torch.save``), ``onnx``, or ``callable``: any function of
            Python's.
        path: The file, or its fsspec address; a callable has none.
        import_path: The class of a ``state_dict``; the function of a ``callable``, or the class
            whose instances are called: ``package.module.Name``.
        arguments: The arguments of that class.
        credentials: An entry of ``credentials.yml`` for the address.
        trust: Whether the file may run code. Only a pickle needs it, and a .pt2 that brings along
            more than operators of PyTorch's own.
    """

    kind: SourceKind
    path: Annotated[str | None, Mark.NO_RESULT]
    import_path: str | None
    arguments: dict[str, Any]
    credentials: Annotated[str | None, Mark.NO_RESULT]
    trust: Annotated[bool, Mark.NO_RESULT]

    @field_validator("path")
    @classmethod
    def _at_home(cls, path: str | None) -> str | None:
        return str(Path(path).expanduser()) if path and path.startswith("~") else path

    @model_validator(mode="after")
    def _names_what_it_needs(self) -> Self:
        if (self.path is None) != (self.kind == "callable"):
            raise ValueError(
                "a callable has no file, so leave path out"
                if self.kind == "callable"
                else f"kind {self.kind!r} is read from a file, so name it with path"
            )
        if (self.import_path is None) == (self.kind in NEED_A_CLASS):
            raise ValueError(
                f"kind {self.kind!r} needs to know its code, so set import_path to "
                "package.module.Name"
                if self.kind in NEED_A_CLASS
                else f"kind {self.kind!r} brings its code along, so leave import_path out"
            )
        if self.arguments and self.import_path is None:
            raise ValueError("arguments are for the class of import_path, so leave them out")
        if self.kind == "pickle" and not self.trust:
            raise ValueError(
                "reading a pickle runs whatever code its author put into it, so trust must be "
                "true, which is for files of your own; better, save the model with "
                "torch.export.save and set kind to torch_export"
            )
        return self


class Contract(Params):
    """The images that a model expects.

    The steps are, in this order: fit (if ``fit`` is true), scale to ``range``, normalise by
    ``mean`` and ``std``, cast to ``dtype``.

    Attributes:
        size: Side of the square image in pixels; None for the size of the images.
        channels: 1 or 3; None for the channels of the images.
        range: The values of black and white before normalisation.
        mean: Numbers to subtract, one per channel; None for no normalisation.
        std: Numbers to divide by, one per channel; None for no normalisation.
        dtype: Type of the pixels.
        fit: Whether images of another size or number of channels are changed to fit: resized
            (bilinear), grey repeated to three channels, colours averaged to grey.
    """

    size: int | None = Field(ge=1)
    channels: Literal[1, 3] | None
    range: tuple[float, float]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    dtype: Literal["float32", "float64", "float16", "bfloat16", "uint8"]
    fit: bool

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        low, high = self.range
        if low >= high:
            raise ValueError(f"range is [{low:g}, {high:g}], whose second number must be greater")
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together, so set both or neither")
        if self.mean is not None and self.std is not None:
            if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
                raise ValueError(
                    f"mean has {len(self.mean)} and std {len(self.std)} numbers, but one a channel "
                    "is needed: 1 or 3"
                )
            if min(self.std) <= 0:
                raise ValueError(f"std is {list(self.std)}, but it divides: all must be above 0")
        if self.dtype == "uint8" and (self.range != (0.0, 255.0) or self.mean is not None):
            raise ValueError("dtype 'uint8' holds whole numbers: set range to [0, 255], no mean")
        return self


class ImportedModelParams(Params):
    """A model under test that was trained elsewhere.

    Attributes:
        kind: ``imported``.
        source: Its file or code.
        input: The images that it expects.
        outputs: Its outputs for an image: one ``logit`` or ``probability`` of the positive class,
            or ``logits`` or ``probabilities`` of two or more classes.
        columns: The columns of the positive and the negative class among several, from 0; None for
            1 and 0 of two classes.
        most_other_mass: The largest probability that a model of more than two classes may give to
            all other classes. Generated images with more are left out, because far from both
            classes the boundary between them means nothing.
        embedding: The layer whose output is clustered, by its name in the network; None for the
            input of the last linear layer; ``judge`` for the judge's features, for models without
            visible layers. For a callable, the import path of a function that embeds.
    """

    kind: Literal["imported"]
    source: Source
    input: Contract
    outputs: Literal["logit", "probability", "logits", "probabilities"]
    columns: tuple[int, int] | None
    most_other_mass: float = Field(gt=0, le=1)
    embedding: str | None

    @field_validator("columns")
    @classmethod
    def _two_columns(cls, columns: tuple[int, int] | None) -> tuple[int, int] | None:
        if columns is not None and (columns[0] == columns[1] or min(columns) < 0):
            raise ValueError("it must be two different columns from 0 on: [positive, negative]")
        return columns

    @model_validator(mode="after")
    def _columns_are_of_several(self) -> Self:
        if self.columns is not None and self.outputs in ("logit", "probability"):
            raise ValueError(f"one {self.outputs} has no columns, so leave columns out")
        return self
