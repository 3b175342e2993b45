"""The grid of the experiment: its models under test, its generators and their repetitions.

An environment lists them (``grid`` in ``parameters.yml``). A stage writes its nodes for one model
or one generator, and :mod:`borderline.copies` copies them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, NamedTuple, Self

from kedro.framework.project import pipelines
from kedro.pipeline import Node
from pydantic import AfterValidator, Field, model_validator

from borderline.errors import BorderlineError
from borderline.measures.judges import Distance, Judges, Reference
from borderline.measures.judges import Judge as Judge
from borderline.params import GeneratorParams, Pairing, Params, RunParams, distinct
from borderline.seeds import named_seeds, with_seeds

GAN = "gan"
JUDGE = "judge"
"""The judge of realism, and the first member of the committee."""
GIVEN_STEP_1 = "step_1_checkpoints"
"""The entry of the catalog and of ``globals.yml`` for a step 1 that was trained elsewhere."""

Seed = Annotated[int, Field(ge=0, lt=2**32)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1)]


class Grid(Params):
    """The lists of the experiment.

    Attributes:
        models: The models under test, keys of ``models``.
        generators: The generators of each model, keys of ``generators``.
        runs: Repetitions of GAN and generators, each with another seed.
        judges: The judges of realism: ``lenet`` (always, because it measures the epochs),
            ``classifier`` (the model under test), ``inception`` (for the FID).
        seeds: The seed of each repetition in place of the run's and of derived ones; None for
            these. Step 1 takes it, and the generators too unless ``step_2_seeds`` has theirs.
        step_2_seeds: The seed of the generators (step 2, searches, images) of each repetition.
    """

    models: tuple[str, ...]
    generators: tuple[str, ...]
    runs: int = Field(ge=1)
    judges: Judges
    seeds: Annotated[Seeds, AfterValidator(distinct)] | None = None
    step_2_seeds: Seeds | None = None

    @model_validator(mode="after")
    def _seed_for_each_repetition(self) -> Self:
        for name in ("seeds", "step_2_seeds"):
            seeds = getattr(self, name)
            if seeds is not None and len(seeds) != self.runs:
                raise ValueError(
                    f"{name} has {len(seeds)} seeds, but runs is {self.runs}: name one seed for "
                    f"each repetition, or set runs to {len(seeds)}"
                )
        return self


class Placed(NamedTuple):
    """A generator and the number of its repetition, from 1."""

    settings: GeneratorParams
    run: int


@dataclass(frozen=True)
class Layout:
    """All models and generators of the grid.

    Attributes:
        models: Names of the models under test.
        generators: The generators of all repetitions, by name.
        runs: The number of repetitions.
        trains_gan: Whether step 1 is trained here; False when its checkpoints are given or no
            generator needs them.
        judges: The judges of realism.
        pairing: The two models that ``compare`` compares.
        imported: The models that were trained elsewhere.
        pretrained: The models that are trained here from pretrained weights.
        repaired: The models that are repaired versions of others, with the names of these.
        members: The members of the committee of judges that are trained here, the judge first; none
            where the judge is imported.
        also: Whether the best recipe of each pair of a reduction and a clustering is shown too.
        alone: The entries of ``generators`` whose images are also clustered alone.
        seeded: The repetitions with run settings of their own, as ``seeds`` names them.
        epoch_judges: The judges that measure every epoch.
        epoch_reference: The real images that they compare with.
        front: The Fréchet distance of the Pareto front.
        noise_file: Whether the test noise is read from a file.
        limits: Whether the gate has limits on measures of the findings.
        suites: Whether the gate replays suites.
    """

    models: tuple[str, ...] = ()
    generators: Mapping[str, Placed] = field(default_factory=dict)
    runs: int = 1
    trains_gan: bool = True
    judges: tuple[Judge, ...] = ()
    pairing: Pairing | None = None
    imported: tuple[str, ...] = ()
    pretrained: tuple[str, ...] = ()
    repaired: Mapping[str, str] = field(default_factory=dict)
    members: tuple[str, ...] = (JUDGE,)
    also: bool = False
    alone: tuple[str, ...] = ()
    seeded: tuple[str, ...] = ()
    epoch_judges: Judges = ("lenet",)
    epoch_reference: Reference = "pair"
    front: Distance = "fd_lenet"
    noise_file: bool = False
    limits: bool = True
    suites: bool = False

    def gans(self) -> dict[str, int]:
        """The number of the GAN of each generator; 0 if it has none, or if step 1 was given.

        Other networks have numbers below 0: those that are trained once for all models, and
        imported ones, which are the same in all repetitions.
        """
        return {name: self._gan_of(name) for name in self.generators}

    def _gan_of(self, name: str) -> int:
        placed = self.generators[name]
        source = placed.settings.goes_on_from()
        if source and repeated(source, placed.run) in self.generators:
            return self._gan_of(repeated(source, placed.run))
        settings = placed.settings
        if (settings.trains_once or settings.has_space) and not settings.needs_gan():
            network = name if settings.trains_once else base_name(name)
            return -1 - list(self.generators).index(network)
        return placed.run if self.trains_gan and settings.needs_gan() else 0

    @property
    def once(self) -> dict[str, Placed]:
        """The generators that are trained once for all models, by name."""
        return {n: placed for n, placed in self.generators.items() if placed.settings.trains_once}

    @property
    def trained(self) -> tuple[str, ...]:
        """The models that are trained here, by the stage ``classifier``."""
        return tuple(m for m in self.models if m not in (*self.imported, *self.repaired))


# Without a context (`kedro registry list`) the stages have only their shared nodes.
_current = Layout()


def current() -> Layout:
    """The layout of the present environment."""
    return _current


def lay_out(grid: Grid, settings: Mapping[str, GeneratorParams], *, trains_gan: bool) -> Layout:
    """Lay the grid out: a generator for each variant, in each repetition.

    Raises:
        BorderlineError: When two generators would have the same name or the same images.
    """
    generators: dict[str, Placed] = {}
    for run in range(1, grid.runs + 1):
        for name in grid.generators:
            for suffix, variant in settings[name].variants().items():
                full = repeated(name + suffix, run)
                if full in generators:
                    raise BorderlineError(
                        f"grid.generators gives two generators the name {full!r}, because of "
                        "their start or repetition: rename an entry of generators."
                    )
                generators[full] = Placed(variant, run)
    trains_gan = trains_gan and any(settings.needs_gan() for settings, _ in generators.values())
    seeded = tuple(_seeded(grid))
    layout = Layout(grid.models, generators, grid.runs, trains_gan, grid.judges, seeded=seeded)
    repeats = grid.step_2_seeds or ()
    if not (trains_gan or layout.once) and len(set(repeats)) < len(repeats):
        raise BorderlineError(
            f"grid.step_2_seeds is {list(repeats)}, but without a training of step 1 repetitions "
            "with one seed are the same: name different seeds."
        )
    for name in layout.once:
        if name in grid.models:
            raise BorderlineError(
                f"grid.generators and grid.models both have the name {name!r}, but a generator of "
                f"kind {layout.once[name].settings.kind!r} has folders beside those of the "
                "models: rename one of them."
            )
    return layout


def repeated(name: str, run: int) -> str:
    """The name with the number of its repetition, except for the first."""
    return name if run == 1 else f"{name}_run_{run}"


def base_name(name: str) -> str:
    """The name of a generator without the number of its repetition.

    Example:
        >>> base_name(repeated("hybrid", 2))
        'hybrid'
    """
    return re.sub(r"_run_\d+$", "", name)


def committee(members: int) -> dict[str, int]:
    """The names of the members of the committee with their numbers.

    Example:
        >>> committee(3)
        {'judge': 1, 'judge_2': 2, 'judge_3': 3}
    """
    return {JUDGE if n == 1 else f"{JUDGE}_{n}": n for n in range(1, members + 1)}


def seeds(grid: Grid, run: RunParams) -> dict[str, RunParams]:
    """The run settings of repetitions that differ from those of the run, by name."""
    return with_seeds(_seeded(grid), run)


def _seeded(grid: Grid) -> dict[str, int | None]:
    return named_seeds(grid.runs, grid.seeds, grid.step_2_seeds)


def use(layout: Layout) -> None:
    """Build the pipelines for this layout from now on."""
    global _current
    _current = layout
    pipelines.configure(pipelines._pipelines_module)


def node(
    function: Callable[..., Any],
    outputs: str | list[str],
    *,
    more: Mapping[str, str] | None = None,
    **inputs: str,
) -> Node:
    """A node that is wired by the names of its function's parameters, and called like the function.

    A positional parameter takes the dataset of its name, a keyword-only parameter the settings of
    its name, ``params:<name>``. A parameter with a default is wired only where ``inputs`` names it.

    Args:
        function: The function of the node.
        outputs: Its datasets, in the order of the returned values.
        more: Datasets for the ``**`` parameter of the function, by keyword.
        inputs: Datasets of other names than their parameters.

    Example:
        >>> def choose(embeddings, cluster_scores_table, *, prototypes, run): ...
        >>> node(choose, "selections").inputs
        ['embeddings', 'cluster_scores_table', 'params:prototypes', 'params:run']
    """
    wired = dict(inputs)
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD or parameter.default is not parameter.empty:
            continue
        settings = parameter.kind is parameter.KEYWORD_ONLY
        wired.setdefault(name, f"params:{name}" if settings else name)
    return Node(function, {**wired, **(more or {})}, outputs, name=function.__name__)
