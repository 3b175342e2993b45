"""Eight trainings of generators, one after the other and on workers, and what more would give.

Each is a GAN of its own seed on the real digits. All processes compute with one thread, so that
only the number of workers differs; a sequential run with all cores is measured too.
"""

from __future__ import annotations

import os

# Before PyTorch is loaded, here and in every process.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["DASK_LOGGING__DISTRIBUTED"] = "error"

import logging
import math
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from common import gan_params, machine, real_images
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset, SharedMemoryDataCatalog
from kedro.pipeline import Node, Pipeline
from kedro.runner import AbstractRunner, ParallelRunner, SequentialRunner
from torch import Tensor

from borderline.datasets import JSONDataset, TensorDataset
from borderline.datasets.image_source import ImageSource
from borderline.params import PairParams, RunParams
from borderline.pipelines.gasten.epoch import train_epoch
from borderline.pipelines.gasten.gan import Gan
from borderline.runners import DaskRunner
from borderline.threads import compute_with

TRAININGS = 8
STEPS = 40
SMALL_NODES = 64
PAIR = PairParams(positive=7, negative=1, test_share=0.2)
# One of the paper's on a CPU, for the prediction.
LONG_SECONDS = 600


def train_generator(pair: dict[str, Tensor], seed: int) -> float:
    """The seconds that a training takes."""
    start = time.perf_counter()
    run = RunParams(seed=seed, device="cpu")
    gan = Gan(gan_params("fast", steps_per_epoch=STEPS), pair["images"].shape[1:], run)
    train_epoch(gan, pair["images"], 1, None)
    return time.perf_counter() - start


def nothing(_: int) -> float:
    """A node whose time is all overhead."""
    return 0.0


def trainings() -> Pipeline:
    """The grid."""
    return Pipeline(
        [
            Node(train_generator, ["pair", f"params:{i}"], f"seconds_{i}", name=f"train_{i}")
            for i in range(TRAININGS)
        ]
    )


def small_nodes() -> Pipeline:
    """Nodes that do nothing."""
    return Pipeline(
        [Node(nothing, "params:0", f"small_{i}", name=f"small_{i}") for i in range(SMALL_NODES)]
    )


def drive(runner: AbstractRunner, pipeline: Pipeline, folder: Path) -> tuple[float, float]:
    """Run a pipeline.

    Returns:
        Its seconds, and the mean of what its nodes say that they took.
    """
    kind = SharedMemoryDataCatalog if isinstance(runner, ParallelRunner) else DataCatalog
    outputs = {
        name: JSONDataset(filepath=str(folder / f"{name}.json")) for name in pipeline.all_outputs()
    }
    catalog = kind(
        {
            **outputs,
            **{f"params:{i}": MemoryDataset(i) for i in range(TRAININGS)},
            "pair": TensorDataset(filepath=str(folder / "pair.safetensors")),
        }
    )
    start = time.perf_counter()
    runner.run(pipeline, catalog, _create_hook_manager())
    seconds = time.perf_counter() - start
    return seconds, sum(dataset.load() for dataset in outputs.values()) / len(outputs)


def main() -> None:
    """Print the seconds of each way, the ratios, and the prediction."""
    logging.disable(logging.WARNING)
    print(machine())
    with TemporaryDirectory() as name:
        folder = Path(name)
        pair = real_images(ImageSource(kind="mnist_sample"), PAIR)[1]
        TensorDataset(filepath=str(folder / "pair.safetensors")).save(pair)
        one, training = drive(SequentialRunner(), trainings(), folder)
        print(f"one process, one thread: {one:.1f} s, {training:.2f} s a training")
        found = {}
        for label, runner, workers in (
            ("parallel_2", ParallelRunner(max_workers=2), 2),
            ("dask_1", DaskRunner(max_workers=1, threads=1), 1),
            ("dask_2", DaskRunner(max_workers=2, threads=1), 2),
        ):
            seconds, each = drive(runner, trainings(), folder)
            found[label] = seconds, each
            print(
                f"{label}: {seconds:.1f} s, {each:.2f} s a training, efficiency "
                f"{one / seconds / workers:.2f}"
            )
            print(f"ratio scaling_{label}: {one / seconds:.2f}")
        start_up = drive(DaskRunner(max_workers=1, threads=1), _first(small_nodes()), folder)[0]
        all_small = drive(DaskRunner(max_workers=1, threads=1), small_nodes(), folder)[0]
        overhead = max(0.0, all_small - start_up) / (SMALL_NODES - 1)
        compute_with(os.cpu_count() or 1)
        cores, _ = drive(SequentialRunner(), trainings(), folder)
        print(f"one process, {os.cpu_count()} threads: {cores:.1f} s")
        print(f"ratio scaling_dask_2_to_all_threads: {cores / found['dask_2'][0]:.2f}")
    predict(training, start_up, overhead)


def _first(pipeline: Pipeline) -> Pipeline:
    return Pipeline(pipeline.nodes[:1])


def predict(training: float, start_up: float, overhead: float) -> None:
    """Say what more workers would give, and on what assumptions."""
    print(
        f"Model: seconds = start-up {start_up:.1f} + rounds x seconds of a training + nodes x "
        f"{1000 * overhead:.0f} ms, with rounds = nodes / workers, rounded up. It takes every "
        "worker to be as fast as one of this machine alone, with cores of its own, all trainings "
        "to be equally long, the scheduler to hand out nodes one after the other, and what they "
        "load and save to cost the same however many do it at once."
    )
    for seconds in (training, float(LONG_SECONDS)):
        for nodes in (TRAININGS, 64 * TRAININGS):
            for workers in (8, 64):
                alone = nodes * seconds
                together = start_up + math.ceil(nodes / workers) * seconds + nodes * overhead
                speed = alone / together
                print(
                    f"{nodes} trainings of {seconds:.1f} s on {workers} workers: {together:.0f} s "
                    f"in place of {alone:.0f} s, {speed:.1f} times as fast, efficiency "
                    f"{speed / min(workers, nodes):.2f} of the workers that have one"
                )


if __name__ == "__main__":
    main()
