"""Settings of the stage: ``parameters_classifier.yml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from borderline.imported.params import ImportedJudgeParams, ImportedModelParams
from borderline.params import Mark, PairParams, Params, RunParams, Setting


class ModelParams(Params):
    """A model under test.

    Attributes:
        kind: ``cnn`` or ``mlp``, as in Gomes et al. 2024.
        filters: Filters of the first convolution, or width of the hidden layer.
        allow_chance: Whether the model may be no more accurate than guessing.
    """

    kind: Literal["cnn", "mlp"]
    filters: int = Field(ge=1)
    allow_chance: Annotated[bool, Mark.NO_RESULT]


JUDGE_FEATURES = 64
"""Width of the judge's embedding; it stands here so that checks before a run need no torch."""

AnyModel = Annotated[ModelParams | ImportedModelParams, Field(discriminator="kind")]
MODEL_KINDS: dict[str, type[Params]] = {
    "cnn": ModelParams,
    "mlp": ModelParams,
    "imported": ImportedModelParams,
}


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


class JudgeParams(TrainingParams):
    """The judge, a LeNet over all classes, and the committee around it.

    Attributes:
        kind: ``lenet``.
        members: Judges in the committee. The first is the judge of realism; each other one has its
            own seed and its own bootstrap resample of the training images.
        blended: The share of each batch of these others that is blended with other images (mixup;
            Zhang et al. 2018). Without it they are as sure of a blend of two classes as of a real
            image.
    """

    kind: Literal["lenet"]
    members: Annotated[int, Field(ge=1), Mark.CONTINUES]
    blended: float = Field(ge=0, le=1)


AnyJudge = Annotated[JudgeParams | ImportedJudgeParams, Field(discriminator="kind")]
JUDGE_KINDS: dict[str, type[Params]] = {"lenet": JudgeParams, "imported": ImportedJudgeParams}


def classifier_settings(
    run: RunParams, pair: PairParams, model: ModelParams, classifier: TrainingParams
) -> dict[str, Setting]:
    """The fingerprint of a model under test: all settings that its checkpoints depend on."""
    return {
        **run.fingerprint("run"),
        **pair.fingerprint("pair"),
        **model.fingerprint("model"),
        **classifier.fingerprint("classifier"),
    }


def judge_settings(
    run: RunParams, pair: PairParams, judge: JudgeParams, member: int = 1
) -> dict[str, Setting]:
    """The fingerprint of a member of the committee, which sees all classes; 1 is the judge."""
    settings = judge.fingerprint("judge")
    # Only the other members see blends.
    blended = settings.pop("judge.blended")
    others = {"judge.member": member, "judge.blended": blended} if member > 1 else {}
    return {
        **run.fingerprint("run"),
        "pair.test_share": pair.test_share,
        **settings,
        **others,
    }
