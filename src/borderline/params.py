"""Settings that several stages share (``parameters.yml``), with their devices and seeds.

The default values stand in ``conf/base``. A :class:`Mark` at a field says what does not
depend on it.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
)
from pydantic_core import to_jsonable_python

from borderline.errors import BorderlineError
from borderline.names import fault_of_case, fault_of_folder

if TYPE_CHECKING:
    import torch

    from borderline.measures.judges import Distance

Setting = int | float | str | bool | None
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]


class Mark(Enum):
    """A mark at a field: ``device: Annotated[Device, Mark.NO_RESULT]``.

    Attributes:
        NO_RESULT: No result depends on the setting, for example the path of a file; the ledger and
            fingerprints leave it out.
        CONTINUES: A training can continue with another value; fingerprints leave it out.
        BESIDE: No stage depends on the group; the report, its command and sweeps leave it out.
    """

    NO_RESULT = "no result"
    CONTINUES = "continues"
    BESIDE = "beside"


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """A validator of lists: nothing stands in them twice."""
    if len(set(values)) < len(values):
        raise ValueError("it must name nothing twice")
    return values


def flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested settings by dotted name."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def merged(base: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings in which the second ones replace those of the first."""
    both = dict(base)
    for name, value in above.items():
        below = base.get(name)
        nested = isinstance(below, Mapping) and isinstance(value, Mapping)
        both[name] = merged(below, value) if nested else value  # type: ignore[arg-type]
    return both


def check_can_tell(name: str, draws: int, level: float) -> None:
    """Make sure that this number of random draws can give a p-value as small as the level."""
    if 1 / (1 + draws) > level:
        raise ValueError(
            f"{draws} {name} cannot tell at a level of {level}: raise {name} to "
            f"{math.ceil(1 / level - 1)} or more"
        )


class Params(BaseModel):
    """A group of settings: frozen, without unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def marked(cls, *marks: Mark) -> set[str]:
        """The names of the settings with one of these marks."""
        fields = cls.model_fields.items()
        return {n for n, field in fields if any(mark in field.metadata for mark in marks)}

    def plain(self, *marks: Mark) -> dict[str, Any]:
        """The settings as nested JSON types, except those with one of these marks."""
        names = [name for name in type(self).model_fields if name not in self.marked(*marks)]
        return {name: _plain(getattr(self, name), marks) for name in names}

    def fingerprint(self, group: str) -> dict[str, Setting]:
        """The settings that the state of a training depends on, by dotted name under ``group``."""
        values = flat({group: self.plain(Mark.NO_RESULT, Mark.CONTINUES)})
        return {n: value if isinstance(value, Setting) else str(value) for n, value in values}


def earlier(values: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The values of settings in runs of earlier versions, which lack them, by dotted name.

    A setting that came later has such a value as the default of its field.
    """
    if isinstance(values, Params):
        for setting, field in type(values).model_fields.items():
            if not field.is_required():
                value = field.get_default(call_default_factory=True, validated_data={})
                yield f"{name}{setting}", to_jsonable_python(value)
        values = dict(values)
    if isinstance(values, Mapping):
        for setting, value in values.items():
            yield from earlier(value, f"{name}{setting}.")


def _plain(value: Any, marks: tuple[Mark, ...]) -> Any:
    if isinstance(value, Params):
        return value.plain(*marks)
    if isinstance(value, Mapping):
        return {name: _plain(entry, marks) for name, entry in value.items()}
    return to_jsonable_python(value)


class RunParams(Params):
    """Settings of the whole run.

    Attributes:
        seed: The seed of all random choices.
        device: ``auto`` takes CUDA, then MPS, then the CPU.
        quick: Whether the limits of ``conf/presets/quick.yml`` hold (``kedro run --quick``). The
            results have their own folders, whose names end in ``_quick``.
    """

    seed: int = Field(ge=0, lt=2**32)
    device: Annotated[Device, Mark.NO_RESULT]
    quick: Annotated[bool, Field(strict=True), Mark.NO_RESULT] = False

    def torch_device(self) -> torch.device:
        """The device to compute on.

        Raises:
            BorderlineError: When PyTorch does not find the device.
        """
        import torch

        available = {
            "cuda": torch.cuda.is_available(),
            "mps": torch.backends.mps.is_available(),
            "cpu": True,
        }
        if self.device == "auto":
            return torch.device(next(name for name in available if available[name]))
        if not available[self.device.partition(":")[0]]:
            raise BorderlineError(
                f"run.device is {self.device!r}, but PyTorch finds no such device here: "
                "set run.device to 'auto' or 'cpu'."
            )
        return torch.device(self.device)

    def seed_for(self, *purpose: str | int) -> int:
        """A seed for one purpose, in [0, 2**32), independent of the seeds of other purposes."""
        import numpy as np

        words = [zlib.crc32(str(word).encode()) for word in purpose]
        return int(np.random.SeedSequence([self.seed, *words]).generate_state(1)[0])

    def generator(self, *purpose: str | int) -> torch.Generator:
        """A random generator for one purpose, on the CPU so that all devices get its numbers."""
        import torch

        return torch.Generator().manual_seed(self.seed_for(*purpose))

    @contextmanager
    def global_seed(self, *purpose: str | int) -> Iterator[None]:
        """Seed the global generators of PyTorch and NumPy, and restore them at the end.

        For library code that takes no generator: weight initialisation, captum.
        """
        import numpy as np
        import torch

        seed = self.seed_for(*purpose)
        numpy_state = np.random.get_state()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            np.random.seed(seed)
            try:
                yield
            finally:
                np.random.set_state(numpy_state)


class TrackingParams(Params):
    """The tracker of runs; its environment variables take precedence.

    Attributes:
        kind: Weights & Biases, or MLflow.
        runs: ``stage`` tracks each stage as a run; ``generator`` also tracks each generator of each
            model as a run of its own, instead of as a part of its stages.
        mode: ``offline`` keeps everything in the data folder, ``online`` sends it to a server,
            ``disabled`` tracks nothing.
        project: The project of the runs in wandb, or their experiment in MLflow.
        entity: The account or team in wandb; None for its default. MLflow has none.
        tags: The tags of all runs.
    """

    kind: Literal["wandb", "mlflow"] = "wandb"
    runs: Literal["stage", "generator"] = "stage"
    mode: Literal["online", "offline", "disabled"]
    project: str = Field(min_length=1)
    entity: str | None
    tags: tuple[str, ...]


class CallParams(Params):
    """The call of the run; derived, not set by users.

    Attributes:
        environment: The name of the environment; None for the default one.
        changed: The settings of ``--params``, by dotted name, without those beside the stages.
        listed: The groups of settings that the report lists.
    """

    environment: str | None = None
    changed: dict[str, Any] = Field(default_factory=dict)
    listed: tuple[str, ...] = ()

    def command(self) -> str:
        """The command that runs all stages with the same settings."""
        words = ["kedro", "run"]
        if self.environment is not None:
            words += ["--env", self.environment]
        changed = dict(self.changed)
        if changed.get("run.quick") is True:
            words.append("--quick")
            del changed["run.quick"]
        if changed:
            values = (f"{name}={_as_option(value)}" for name, value in changed.items())
            words += ["--params", ",".join(values)]
        return shlex.join(words)


def _as_option(value: Any) -> str:
    """A value as ``--params`` takes it; a text that YAML would read otherwise is in quotes."""
    if not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    from omegaconf import OmegaConf

    try:
        read = OmegaConf.to_container(OmegaConf.from_dotlist([f"value={value}"]))
    except Exception:  # The errors of two libraries.
        read = None
    if read == {"value": value} and not re.search(r"[,\[\]{}'\"]", value):
        return value
    return "'" + value.replace("'", "''") + "'"


def without_fault(fault_of: Callable[[str], str]) -> AfterValidator:
    """The check of a text by a function of ``borderline.names`` that gives its fault."""

    def checked(text: str) -> str:
        if fault := fault_of(text):
            raise ValueError(fault)
        return text

    return AfterValidator(checked)


ResultsFolder = Annotated[str, without_fault(fault_of_folder)]
"""The path or address of a data folder."""


class OtherRunParams(Params):
    """Another finished run, to compare with; None for no other run.

    Attributes:
        case: Its dataset and pair, ``<dataset>_<positive>v<negative>``; None for this run's.
        trust: Whether its files may run code if another project wrote them.
    """

    data_folder: ResultsFolder | None
    case: Annotated[str, without_fault(fault_of_case)] | None = None
    trust: Annotated[bool, Field(strict=True)] = False


class Pairing(Params):
    """The two models to compare; derived, not set by users."""

    this: str
    other: str
    elsewhere: bool

    @property
    def names(self) -> tuple[str, str]:
        """The names of both models."""
        return self.this, f"{self.other} of the other run" if self.elsewhere else self.other


class PairParams(Params):
    """The two classes that the model under test tells apart, by number or name.

    Attributes:
        test_share: The share of the images that become test images if the source has none.
        fewest_distinct: The least number of different training images of each class of the pair.
    """

    positive: int | str
    negative: int | str
    test_share: float = Field(gt=0, lt=1)
    fewest_distinct: Annotated[int, Mark.NO_RESULT] = Field(default=10, ge=1)


class GeneratorParams(Params):
    """A generator: the settings and the questions that all kinds have in common.

    A kind is a file of ``pipelines/gasten/kinds``; its ``Settings`` derive from this class.

    Attributes:
        trains: Whether the kind trains a GAN: it then has a setting ``epochs`` and leaves
            checkpoints, a ``generator`` and a ``discriminator`` that another kind can use.
        trains_once: Whether the kind trains once for all models, by its function
            ``create_shared_pipeline``; it then has a setting ``epochs``.
        has_space: Whether the kind leaves at least a ``generator``, to search in.
        has_file: Whether the kind reads a file that was trained elsewhere, its setting ``source``.
        needs_gradients: Whether the model under test must be differentiable.
        passes_per_image: Passes of its network for an image; more where a decoder takes steps.
        baseline: What its images are, in the words of a page, if the kind is a baseline; empty for
            none. A baseline is chosen only by name, or where the grid has no other kind.
    """

    kind: str
    trains: ClassVar[bool] = False
    trains_once: ClassVar[bool] = False
    has_space: ClassVar[bool] = False
    has_file: ClassVar[bool] = False
    needs_gradients: ClassVar[bool] = False
    baseline: ClassVar[str] = ""

    @property
    def passes_per_image(self) -> int:
        """See the attributes."""
        return 1

    def variants(self) -> dict[str, Self]:
        """The generators that this entry of the configuration stands for, by suffix of its name."""
        return {"": self}

    def goes_on_from(self) -> str | None:
        """The name of the generator that this one starts from; None for step 1 or none at all."""
        return None

    def needs_gan(self) -> bool:
        """Whether it needs step 1."""
        return True

    def distances(self) -> set[Distance]:
        """The Fréchet distances of every epoch on the test noise that it needs."""
        return set()

    def check(self, name: str, context: Any) -> None:
        """Make sure that the settings fit those beside them, a ``GeneratorContext``."""

    def check_file(self, content: bytes, real_images: torch.Tensor) -> None:
        """Make sure that its file can make images like the real ones (N, C, H, W), for a kind that
        has one."""

    def shared_settings(self, run: RunParams, pair: PairParams) -> dict[str, Setting]:
        """The fingerprint of its training, for a kind that trains once for all models."""
        own = self.fingerprint("generator")
        return {**run.fingerprint("run"), **pair.fingerprint("pair"), **own}

    def training_settings(
        self,
        step_1: Mapping[str, Setting],
        classifier: Mapping[str, Setting],
        gan: Any,
        confusion: Mapping[str, Setting],
        start: int | None = None,
    ) -> dict[str, Setting]:
        """The fingerprint of its training, for a kind that trains.

        ``confusion`` is that of the boundary, without a threshold that is not known yet.
        ``start`` is the epoch of step 1 that it starts from; None before the run. ``step_1`` is
        empty before the run if step 1 is given.
        """
        raise NotImplementedError
