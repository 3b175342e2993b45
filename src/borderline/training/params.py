"""Settings of the trainings of classifiers, and of the models under test that are trained here."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from borderline.image_sizes import ImageSize
from borderline.params import Mark, PairParams, Params, RunParams, Setting


class TrainedModelParams(Params):
    """A model under test that is trained here: the settings that all kinds have in common.

    Attributes:
        epochs: Passes over the training images, at most; None for those of ``classifier``.
        learning_rate: Adam's learning rate; None for that of ``classifier``.
        allow_chance: Whether the model may be no more accurate than guessing.
    """

    epochs: int | None = Field(default=None, ge=1)
    learning_rate: float | None = Field(default=None, gt=0)
    allow_chance: Annotated[bool, Mark.NO_RESULT]

    def training(self, classifier: TrainingParams) -> TrainingParams:
        """The settings of its training: those of ``classifier`` with its own ones."""
        own = {name: getattr(self, name) for name in OF_TRAINING}
        return classifier.model_copy(update={n: v for n, v in own.items() if v is not None})


OF_TRAINING = ("epochs", "learning_rate")
"""The settings of ``classifier`` that a model may set for itself."""


class ModelParams(TrainedModelParams):
    """A model under test of Gomes et al. 2024.

    Attributes:
        kind: ``cnn`` or ``mlp``.
        filters: Filters of the first convolution, or width of the hidden layer.
    """

    kind: Literal["cnn", "mlp"]
    filters: int = Field(ge=1)

    @property
    def title(self) -> str:
        """The model in words."""
        return f"{self.kind} with filters {self.filters}"


class LibraryModelParams(TrainedModelParams):
    """A model under test from a library, by name; its last layer gives one logit.

    Attributes:
        kind: ``torchvision`` or ``timm``.
        name: The name of the model in its library, such as ``resnet18``.
        size: Side of the square, or height and width, to which images are resized in front of the
            model, whatever their proportions; None for their own.
        pretrained: Whether training starts from pretrained weights of all layers but the last.
        weights: A safetensors file of these, with the names of the library; None downloads them.
    """

    kind: Literal["torchvision", "timm"]
    name: str = Field(min_length=1)
    size: ImageSize | None
    pretrained: Annotated[bool, Field(strict=True)]
    weights: Annotated[str | None, Mark.NO_RESULT]

    @property
    def title(self) -> str:
        """The model in words."""
        return f"{self.name} of {self.kind}"

    @model_validator(mode="after")
    def _weights_are_pretrained(self) -> Self:
        if self.weights is not None and not self.pretrained:
            raise ValueError(
                "weights is set, but pretrained is False: set it to True, or remove weights"
            )
        return self


PRETRAINED_DIGEST = "model.weights digest"
"""The entry of a model's fingerprint that holds the digest of its pretrained weights."""
JUDGE_FEATURES = 64
"""Width of the judge's embedding; it stands here so that checks before a run need no torch."""

AnyTrainedModel = ModelParams | LibraryModelParams


class TrainingParams(Params):
    """Training of a classifier with Adam; it keeps the weights of the best validation loss.

    Attributes:
        epochs: Passes over the training images, at most.
        batch_size: Images per step.
        learning_rate: Adam's learning rate.
        validation_share: The share of the training images that are used for validation only. It is
            not used where the source has validation images.
        patience: Epochs without a better validation loss before training stops.
        training_accuracy: Whether the history has ``train_accuracy``, the accuracy on the training
            images after each epoch, at the cost of one more pass. No other result depends on it.
    """

    epochs: Annotated[int, Field(ge=1), Mark.CONTINUES]
    batch_size: int = Field(ge=2)
    learning_rate: float = Field(gt=0)
    validation_share: float = Field(gt=0, lt=1)
    patience: int = Field(ge=1)
    training_accuracy: Annotated[bool, Field(strict=True), Mark.NO_RESULT] = False


def classifier_settings(
    run: RunParams, pair: PairParams, model: TrainedModelParams, classifier: TrainingParams
) -> dict[str, Setting]:
    """The fingerprint of a model under test: all settings that its checkpoints depend on.

    Its own settings of the training stand in place of those of ``classifier``.
    """
    own = model.fingerprint("model")
    return {
        **run.fingerprint("run"),
        **pair.fingerprint("pair"),
        **{n: v for n, v in own.items() if n.removeprefix("model.") not in OF_TRAINING},
        **model.training(classifier).fingerprint("classifier"),
    }
