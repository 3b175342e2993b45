"""Settings of what was trained elsewhere: where it is, what it takes and what it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from borderline.params import Params, Setting, flat

SourceKind = Literal["torch_export", "torchscript", "state_dict", "pickle", "onnx", "callable"]
NEED_A_CLASS = ("state_dict", "callable")

JUDGE = "judge"
"""In place of a layer: the judge's features stand in for the model's own."""


class Source(Params):
    """Where a network comes from.

    Attributes:
        kind: ``torch_export`` (a .pt2 of ``torch.export.save``), ``torchscript``, ``state_dict``,
            ``pickle`` (a module of ``torch.save``), ``onnx``, or ``callable``: any function of
            Python's.
        path: The file, or its fsspec address; a callable has none.
        import_path: For a ``state_dict`` its class, for a ``callable`` the function, or the class
            whose instances are called: ``package.module.Name``.
        arguments: What that class is made with.
        credentials: Of the address: an entry of ``credentials.yml``.
        trust: Whether the file may run code. Only a pickle needs it, and a .pt2 that brings along
            more than operators of PyTorch's own.
    """

    kind: SourceKind
    path: str | None = None
    import_path: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)
    credentials: str | None = None
    trust: bool = False

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
    """What a model expects of its images: how it was trained.

    An image passes through in this order: fitted (where ``fit`` says so), brought to ``range``,
    normalised by ``mean`` and ``std``, cast to ``dtype``.

    Attributes:
        size: Side of the square image in pixels; None for that of the images.
        channels: 1 or 3; None for those of the images.
        range: What black and white are before normalisation.
        mean: One number a channel that is taken off.
        std: One number a channel to divide by.
        dtype: Type of the pixels.
        fit: Whether images of another size or number of channels are made to fit: resized
            (bilinear), grey repeated to three channels, colours averaged to grey.
    """

    size: int | None = Field(default=None, ge=1)
    channels: Literal[1, 3] | None = None
    range: tuple[float, float] = (0.0, 1.0)
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    dtype: Literal["float32", "float64", "float16", "bfloat16", "uint8"] = "float32"
    fit: bool = False

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
        source: Where it comes from.
        input: What it expects of its images.
        outputs: What it gives for an image: one ``logit`` or ``probability`` of the positive class,
            or ``logits`` or ``probabilities`` of two or more classes.
        columns: Of several classes, those of the positive and of the negative one, from 0; may be
            left out where there are two, whose second one is then the positive.
        most_other_mass: Of more than two classes: the most probability that an image may have on
            the others. Generated images with more are left out, for the boundary between two
            classes means nothing far from both.
        embedding: The layer whose output is clustered, by its name in the network; None for what
            the last linear layer is given; ``judge`` for the judge's features, for models whose
            inside cannot be seen. Of a callable, the import path of a function that embeds.
    """

    kind: Literal["imported"]
    source: Source
    input: Contract = Contract()
    outputs: Literal["logit", "probability", "logits", "probabilities"]
    columns: tuple[int, int] | None = None
    most_other_mass: float = Field(default=0.5, gt=0, le=1)
    embedding: str | None = None

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

    def fingerprint(self, group: str) -> dict[str, Setting]:
        """As for all settings; not where the file is, for its content counts."""
        values = self.model_dump(mode="json")
        for where in ("path", "credentials", "trust"):
            del values["source"][where]
        return {
            name: value if isinstance(value, Setting) else str(value)
            for name, value in flat({group: values})
        }
