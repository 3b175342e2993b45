"""Settings that several stages share (``parameters.yml``), and the device and seeds they mean."""

from __future__ import annotations

import json
import math
import shlex
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field

from borderline.errors import BorderlineError

Setting = int | float | str | bool | None
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")]


CHANGE_NO_RESULT = frozenset({"tracking", "gate", "compare", "other_run", "data_folder"})
"""What no report need name: what is beside the road, who tracks it, and where results go."""


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """A validator of lists: they name nothing twice."""
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


def check_can_tell(name: str, draws: int, level: float) -> None:
    """Make sure that so many random draws can give a p-value as small as a level.

    Args:
        name: What the draws are called in the settings.
        draws: How many there are.
        level: In (0, 1).

    Raises:
        ValueError: When their smallest p-value, 1 / (1 + draws), is above it.
    """
    if 1 / (1 + draws) > level:
        raise ValueError(
            f"{draws} {name} cannot tell at a level of {level}: raise {name} to "
            f"{math.ceil(1 / level - 1)} or more"
        )


class Params(BaseModel):
    """What every group of settings has in common: frozen, and no unknown names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    no_matter: ClassVar[frozenset[str]] = frozenset({"epochs", "device"})

    def fingerprint(self, group: str) -> dict[str, Setting]:
        """The settings that a training's state depends on, by dotted name.

        Not among them are those of ``no_matter``: the number of epochs, for a training may go on,
        and the device.

        Args:
            group: What the group is called in the parameters, for example ``gan``.
        """
        values = self.model_dump(exclude=set(self.no_matter))
        return {f"{group}.{name}": value for name, value in values.items()}


class RunParams(Params):
    """Settings that concern the whole run.

    Attributes:
        seed: Every random choice of the run derives from it.
        device: ``auto`` takes CUDA, then MPS, then the CPU.
    """

    seed: int = Field(ge=0, lt=2**32)
    device: Device

    def torch_device(self) -> torch.device:
        """The device to compute on.

        Raises:
            BorderlineError: When the named device is not there.
        """
        name = self.device
        if name == "auto":
            name = (
                "cuda"
                if torch.cuda.is_available()
                else "mps"
                if torch.backends.mps.is_available()
                else "cpu"
            )
        missing = (name.startswith("cuda") and not torch.cuda.is_available()) or (
            name == "mps" and not torch.backends.mps.is_available()
        )
        if missing:
            raise BorderlineError(
                f"run.device is {name!r}, but PyTorch finds no such device here: "
                "set run.device to 'auto' or 'cpu'."
            )
        return torch.device(name)

    def seed_for(self, *purpose: str | int) -> int:
        """A seed for one purpose, independent of every other purpose's.

        Args:
            purpose: What the seed is for, for example ``("gan", "weights")``.

        Returns:
            An integer in [0, 2**32).
        """
        words = [zlib.crc32(str(word).encode()) for word in purpose]
        return int(np.random.SeedSequence([self.seed, *words]).generate_state(1)[0])

    def generator(self, *purpose: str | int) -> torch.Generator:
        """A CPU random generator for one purpose; draws are moved to the device afterwards.

        Drawing on the CPU keeps the numbers the same on every device.
        """
        return torch.Generator().manual_seed(self.seed_for(*purpose))

    @contextmanager
    def global_seed(self, *purpose: str | int) -> Iterator[None]:
        """Seed PyTorch's and NumPy's global generators for a while, then put them back.

        For library code that takes no generator: weight initialisation, captum.
        """
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
    """Where runs are tracked; the tracker's own environment variables come first.

    Attributes:
        mode: ``offline`` keeps everything in the data folder until it is synced, ``online`` sends
            it, ``disabled`` tracks nothing.
        project: What the runs are filed under.
        entity: The account or team; None for the tracker's default one.
        tags: Of every run.
    """

    mode: Literal["online", "offline", "disabled"]
    project: str = Field(min_length=1)
    entity: str | None
    tags: tuple[str, ...]


class CallParams(Params):
    """How the run was called; not set by users.

    Attributes:
        environment: The name of the environment; None for the default one.
        changed: The settings that ``--params`` changed, by dotted name; not those that change no
            result.
    """

    environment: str | None = None
    changed: dict[str, Any] = Field(default_factory=dict)

    def command(self) -> str:
        """What drives the whole road with the same settings."""
        words = ["kedro", "run"]
        if self.environment is not None:
            words += ["--env", self.environment]
        if self.changed:
            values = (f"{name}={_written(value)}" for name, value in self.changed.items())
            words += ["--params", ",".join(values)]
        return shlex.join(words)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


class OtherRunParams(Params):
    """Another finished run, to compare with.

    Attributes:
        data_folder: Its data folder; None for no other run.
        case: Its dataset and pair, ``<dataset>_<positive>v<negative>``; None for those of this run.
    """

    data_folder: str | None
    case: str | None = None


class Pairing(Params):
    """The two models to compare; not set by users.

    Attributes:
        this: A model of this run.
        other: Another one.
        elsewhere: Whether that is of another run.
    """

    this: str
    other: str
    elsewhere: bool

    @property
    def names(self) -> tuple[str, str]:
        """What the two are called."""
        return self.this, f"{self.other} of the other run" if self.elsewhere else self.other


class ConfusionParams(Params):
    """What counts as borderline.

    Attributes:
        band: An image is borderline when ``|p - 0.5| < band``; in (0, 0.5].
    """

    band: float = Field(gt=0, le=0.5)


class PairParams(Params):
    """The two classes that the model under test tells apart.

    Attributes:
        positive: The class with label 1, by number or name.
        negative: The class with label 0, by number or name.
        test_share: The share of all images that become test images where the source has none.
    """

    positive: int | str
    negative: int | str
    test_share: float = Field(gt=0, lt=1)


class GeneratorParams(Params):
    """A generator: the settings and the questions that all kinds have in common.

    A kind is a file of ``pipelines/gasten/kinds``; its ``Settings`` derive from this class.

    Attributes:
        kind: The name of that file.
        trains: Whether the kind trains a GAN: it then has a setting ``epochs`` and leaves
            checkpoints, a ``generator`` and a ``discriminator`` that another kind can use.
        has_space: Whether the kind leaves at least a ``generator``, to search in.
        needs_gradients: Whether the model under test must be differentiable.
    """

    kind: str
    trains: ClassVar[bool] = False
    has_space: ClassVar[bool] = False
    needs_gradients: ClassVar[bool] = False

    def variants(self) -> dict[str, Self]:
        """The generators that this entry of the configuration stands for, by suffix of its name."""
        return {"": self}

    def goes_on_from(self) -> str | None:
        """The name of the generator that this one starts from; None for step 1 or none at all."""
        return None

    def needs_gan(self) -> bool:
        """Whether it needs step 1."""
        return True

    def needs_fd_lenet(self) -> bool:
        """Whether it needs the Fréchet distance of every epoch on the test noise."""
        return False

    def check(self, name: str, context: Any) -> None:
        """Make sure that the settings fit those beside them, before the run.

        Args:
            name: The name of the generator.
            context: The :class:`~borderline.pipelines.gasten.params.GeneratorContext`.

        Raises:
            BorderlineError: When they do not.
        """

    def training_settings(
        self,
        step_1: Mapping[str, Setting],
        classifier: Mapping[str, Setting],
        gan: Any,
        confusion: ConfusionParams,
        start: int | None = None,
    ) -> dict[str, Setting]:
        """The fingerprint of its training, for a kind that trains.

        Args:
            step_1: The fingerprint of step 1; empty before the run where step 1 is given.
            classifier: The fingerprint of the model under test.
            gan: The settings of step 1, ``GanParams``.
            confusion: The band.
            start: The epoch of step 1 that it starts from; None before the run.
        """
        raise NotImplementedError
