"""The interval of a Fréchet distance: ours against torch-fidelity's distance in a plain loop.

Both leave out one of 20 groups after the other of 2,048 features of 392 dimensions (those of a
model under test with 4 filters), against 10,000 real ones.
"""

from __future__ import annotations

import torch
from common import in_turns, machine
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from borderline.measures.realism import Reference, judge_frechet

GROUPS = 20


def main() -> None:
    """Print the seconds of both and their ratio."""
    random = torch.Generator().manual_seed(0)
    mixing = torch.randn(392, 392, generator=random, dtype=torch.float64) / 20
    real = torch.relu(torch.randn(10_000, 392, generator=random).double() @ mixing)
    judged = torch.relu(1.1 * torch.randn(2048, 392, generator=random).double() @ mixing)
    reference, statistics = Reference.of(real, 5), fid_features_to_statistics(real)
    group = torch.arange(len(judged)) % GROUPS

    def distance(features: torch.Tensor) -> float:
        found = fid_statistics_to_metric(
            fid_features_to_statistics(features), statistics, verbose=False
        )
        return float(found["frechet_inception_distance"])

    def theirs() -> list[float]:
        return [distance(judged), *(distance(judged[group != left]) for left in range(GROUPS))]

    ours_seconds, their_seconds, ratio = in_turns(
        lambda: judge_frechet(judged, reference), theirs, rounds=3
    )
    print(machine())
    print(f"ours {ours_seconds:.2f} s, torch-fidelity {their_seconds:.2f} s")
    print(f"ratio frechet_interval: {ratio:.2f}")


if __name__ == "__main__":
    main()
