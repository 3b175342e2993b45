"""Settings of the stage: ``parameters_classifier.yml``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from borderline.imported.params import ImportedJudgeParams, ImportedModelParams
from borderline.params import Mark, PairParams, Params, RunParams, Setting
from borderline.training.params import (
    AnyTrainedModel,
    LibraryModelParams,
    ModelParams,
    TrainingParams,
)


class RepairedModelParams(Params):
    """The repaired version of another model under test, from ``kedro run --pipelines repair``.

    The name ``<model>_repaired`` in ``grid.models`` has such settings without an entry of its own.

    Attributes:
        of: The model that was repaired, a key of ``models`` that is not itself a repaired one.
    """

    kind: Literal["repaired"]
    of: str


AnyOriginal = Annotated[AnyTrainedModel | ImportedModelParams, Field(discriminator="kind")]
"""The settings of a model that is not a repaired one."""
AnyModel = Annotated[
    AnyTrainedModel | ImportedModelParams | RepairedModelParams, Field(discriminator="kind")
]
MODEL_KINDS: dict[str, type[Params]] = {
    "cnn": ModelParams,
    "mlp": ModelParams,
    "torchvision": LibraryModelParams,
    "timm": LibraryModelParams,
    "imported": ImportedModelParams,
    "repaired": RepairedModelParams,
}


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
