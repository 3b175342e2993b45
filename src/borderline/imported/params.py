"""Settings of models that were trained elsewhere: their files, inputs and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from borderline.image_sizes import Size, sides
from borderline.params import Mark, Params, Setting

SourceKind = Literal[
    "torch_export", "torchscript", "state_dict", "pickle", "onnx", "callable", "diffusers"
]
Grey = Literal["luminance", "mean"]
ImageLayout = Literal["nchw", "nhwc", "flat_nchw", "flat_nhwc"]
NEED_A_CLASS = ("state_dict", "callable")
RUN_CODE = ("torch_export", "torchscript", "pickle")
"""Kinds of files that hold code, or a graph that PyTorch interprets."""
NO_CODE = "ask for the weights as safetensors (kind state_dict) or for the model as ONNX"
"""The way out for a file whose author is not trusted."""

JUDGE = "judge"
"""The value of ``embedding`` that takes the judge's features instead of a layer's output."""
FILE_DIGEST = "model.file_digest"
"""The entry of a model's fingerprint that holds the digest of its file."""
CODE_DIGEST = "model.code_digest"
"""That of the other files that define its class, if there are some; earlier versions lack it."""


class Source(Params):
    """The file or the Python object of a network.

    Attributes:
        kind: ``torch_export`` (a .pt2 of ``torch.export.save``), ``torchscript``, ``state_dict``,
            ``pickle`` (a module of ``torch.save``), ``onnx``, or ``callable`` (a Python function).
        path: The file or its fsspec address; not for a callable.
        import_path: ``package.module.Name``: the class of a ``state_dict`` (or a function that
            returns the module), a ``callable``, or a class whose instances are callable.
        arguments: Keyword arguments of that class.
        credentials: An entry of ``credentials.yml`` for the address.
        trust: Whether the file may run code when it is read. The kinds ``torch_export``,
            ``torchscript`` and ``pickle`` need it, and a ``state_dict`` whose file holds more than
            weights.
        key: The place of the weights in the file of a ``state_dict``, with dots (``ema``,
            ``state_dict.student``); None where only one set of weights fits.
        output: The output that holds the class scores, by name or by position from 0; None for
            the one that is known by its name, its type or its shape.
    """

    kind: SourceKind
    path: Annotated[str | None, Mark.NO_RESULT]
    import_path: str | None
    arguments: dict[str, Any]
    credentials: Annotated[str | None, Mark.NO_RESULT]
    trust: Annotated[bool, Mark.NO_RESULT]
    key: str | None
    output: str | int | None

    @property
    def runs_code(self) -> bool:
        """Whether reading it runs code of its file, or of a module that it names."""
        return self.kind in RUN_CODE or self.import_path is not None

    @field_validator("kind")
    @classmethod
    def _makes_what_is_asked(cls, kind: SourceKind) -> SourceKind:
        if kind == "diffusers" and not issubclass(cls, GeneratorSource):
            raise ValueError(
                "a pipeline of diffusers makes images and classifies none: name it as the source "
                "of a generator of kind 'imported' (docs/generators.md)"
            )
        return kind

    @field_validator("path")
    @classmethod
    def _at_home(cls, path: str | None) -> str | None:
        return str(Path(path).expanduser()) if path and path.startswith("~") else path

    @field_validator("trust")
    @classmethod
    def _trusted_if_code(cls, trust: bool, info: ValidationInfo) -> bool:
        kind = info.data.get("kind")
        if kind in RUN_CODE and not trust:
            raise ValueError(
                f"a file of kind {kind!r} can run code on your machine when it is read; set it to "
                f"true if you trust the author of the file, or {NO_CODE}"
            )
        return trust

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.path is None) != (self.kind == "callable"):
            raise ValueError(
                "a callable has no file, so remove path"
                if self.kind == "callable"
                else f"kind {self.kind!r} is read from a file, so set path"
            )
        if (self.import_path is None) == (self.kind in NEED_A_CLASS):
            raise ValueError(
                f"kind {self.kind!r} needs its code, so set import_path to package.module.Name"
                if self.kind in NEED_A_CLASS
                else f"kind {self.kind!r} needs no code from elsewhere, so remove import_path"
            )
        if self.arguments and self.import_path is None:
            raise ValueError("arguments belong to the class of import_path, so remove them")
        if self.key is not None and self.kind != "state_dict":
            raise ValueError("key belongs to the file of a state_dict, so remove it")
        return self


class GeneratorSource(Source):
    """The file, the Python object or the folder of a generator.

    Attributes:
        kind: One of those of models, or ``diffusers``: the folder of a pipeline of that library.
        output: The output that holds the images, by name or by position from 0; None for the
            first one, or the one called ``sample`` or ``images``.
        steps: Steps of DDIM from noise to an image; of ``diffusers`` only.
    """

    steps: int | None = Field(default=None, ge=1)

    @model_validator(mode="before")
    @classmethod
    def _stored_without_steps(cls, values: Any) -> Any:
        # Generators that earlier versions stored have the source of a model.
        return dict(values) if isinstance(values, Source) else values

    @model_validator(mode="after")
    def _steps_are_of_diffusers(self) -> Self:
        is_pipeline = self.kind == "diffusers"
        if (self.steps is None) == is_pipeline:
            raise ValueError(
                "kind 'diffusers' makes an image in several steps, so set steps, such as 20"
                if is_pipeline
                else f"steps belong to kind 'diffusers', so remove them from kind {self.kind!r}"
            )
        for name in ("output", "credentials", "trust"):
            if is_pipeline and getattr(self, name) not in (None, False):
                raise ValueError(f"kind 'diffusers' has no {name}, so remove it")
        return self


class Contract(Params):
    """The images that a model expects.

    The steps are, in this order: fit (if ``fit`` is true), scale to ``range``, normalise by
    ``mean`` and ``std``, cast to ``dtype``, order the axes by ``layout``.

    Attributes:
        size: Side of the square image in pixels, or its height and width; None for the size of the
            images.
        channels: 1 or 3; None for the channels of the images.
        range: The values of black and white before normalisation.
        mean: Numbers to subtract, one per channel; None for no normalisation.
        std: Numbers to divide by, one per channel; None for no normalisation.
        fit: Whether images of another size or number of channels are changed to fit: resized
            (bilinear), grey repeated to three channels, colours turned to grey as ``grey`` says.
        grey: How colours become grey, as in the training of the model: ``luminance`` (ITU-R 601,
            as in Pillow, OpenCV and torchvision) or the ``mean`` of the channels. Needed only
            where the images have colours and the model takes grey ones; models that were stored
            without it take the mean.
        layout: The order of the axes: ``nchw`` (images, channels, height, width), as in PyTorch;
            ``nhwc``, as in TensorFlow and Keras; ``flat_nchw`` or ``flat_nhwc`` for one row of
            pixels per image in that order, as in scikit-learn.
    """

    size: Size | None
    channels: Literal[1, 3] | None
    range: tuple[float, float]
    mean: tuple[float, ...] | None
    std: tuple[float, ...] | None
    dtype: Literal["float32", "float64", "float16", "bfloat16", "uint8"]
    fit: bool
    layout: ImageLayout
    grey: Grey | None = None

    @property
    def shape(self) -> tuple[int, int] | None:
        """The height and width of the image; None for those of the images."""
        return None if self.size is None else sides(self.size)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = self.range
        if low >= high:
            raise ValueError(f"range is [{low:g}, {high:g}], whose second number must be greater")
        if (self.mean is None) != (self.std is None):
            raise ValueError("mean and std go together, so set both or neither")
        if self.mean is not None and self.std is not None:
            if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3):
                raise ValueError(
                    f"mean has {len(self.mean)} and std {len(self.std)} numbers, but they need "
                    "one per channel: 1 or 3"
                )
            if min(self.std) <= 0:
                raise ValueError(
                    f"std is {list(self.std)}, but each must be above 0, since it divides"
                )
        if self.dtype == "uint8" and (self.range != (0.0, 255.0) or self.mean is not None):
            raise ValueError("dtype 'uint8' holds integers, so set range to [0, 255], no mean")
        return self


def _two_columns(columns: tuple[int, int] | None) -> tuple[int, int] | None:
    if columns is not None and (columns[0] == columns[1] or min(columns) < 0):
        raise ValueError("it must be two different columns from 0 on: [positive, negative]")
    return columns


class ImportedModelParams(Params):
    """An imported model under test.

    Attributes:
        outputs: One ``logit`` or ``probability`` of the positive class, or ``logits`` or
            ``probabilities`` of two or more classes.
        columns: The output columns of the positive and the negative class, from 0; by default
            [1, 0] for a model of two classes.
        most_other_mass: For a model of more than two classes: the highest probability of the other
            classes, in (0, 1]. Generated images above it are dropped, because the boundary between
            two classes has no meaning far from both.
        embedding: The name of the layer whose output is clustered; None for the input of the last
            linear layer; ``judge`` for the judge's features, if the layers are hidden. For a
            callable, the import path of an embedding function.
        allow_chance: Whether the model may be no more accurate than guessing.
    """

    kind: Literal["imported"]
    source: Source
    input: Contract
    outputs: Literal["logit", "probability", "logits", "probabilities"]
    columns: Annotated[tuple[int, int] | None, AfterValidator(_two_columns)]
    most_other_mass: float = Field(gt=0, le=1)
    embedding: str | None
    allow_chance: Annotated[bool, Mark.NO_RESULT]

    def fingerprint(self, group: str) -> dict[str, Setting]:
        """As that of all settings; without a setting, earlier versions took the mean of colours."""
        values = super().fingerprint(group)
        grey = f"{group}.input.grey"
        return values | {grey: values[grey] if values[grey] != "mean" else None}

    @model_validator(mode="after")
    def _columns_need_classes(self) -> Self:
        if self.columns is not None and self.outputs in ("logit", "probability"):
            raise ValueError(f"a single {self.outputs} has no columns, so remove columns")
        return self


class ImportedJudgeParams(Params):
    """A judge that was trained elsewhere; it takes the place of the committee.

    Attributes:
        outputs: ``logits`` or ``probabilities`` of two or more classes; None for an encoder without
            a head, which has features but no opinion on classes.
        columns: The output columns of the positive and the negative class, from 0; None where
            column i is class i of the source.
        embedding: The name of the layer whose output are the features; None for the input of the
            last linear layer, or for the output of an encoder without a head. For a callable, the
            import path of an embedding function.
    """

    kind: Literal["imported"]
    source: Source
    input: Contract
    outputs: Literal["logits", "probabilities"] | None
    columns: Annotated[tuple[int, int] | None, AfterValidator(_two_columns)]
    embedding: str | None

    @model_validator(mode="after")
    def _head_has_columns(self) -> Self:
        if self.outputs is None and self.columns is not None:
            raise ValueError("an encoder without a head (outputs: null) has no columns: remove it")
        return self
