"""The 95 % interval of a Fréchet distance: ours against torch-fidelity's distance in a plain loop.

Both take the same resamples of 2,048 features of 392 dimensions (those of a model under test with 4
filters) against 10,000 real ones, and agree on every distance.
"""

from __future__ import annotations

import torch
from common import in_turns, machine
from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

from borderline.measures.intervals import resample
from borderline.measures.realism import Reference, _judge_frechet

RESAMPLES = 20


def main() -> None:
    """Print the seconds of both and their ratio."""
    random = torch.Generator().manual_seed(0)
    mixing = torch.randn(392, 392, generator=random, dtype=torch.float64) / 20
    real = torch.relu(torch.randn(10_000, 392, generator=random).double() @ mixing)
    judged = torch.relu(1.1 * torch.randn(2048, 392, generator=random).double() @ mixing)
    reference = Reference.of(real, 5)
    weights = resample(len(judged), RESAMPLES, 0)
    rows = [torch.arange(len(judged)).repeat_interleave(w.long()) for w in weights]

    def theirs() -> list[float]:
        statistics = fid_features_to_statistics(real)
        return [
            fid_statistics_to_metric(
                fid_features_to_statistics(judged[resampled]), statistics, verbose=False
            )["frechet_inception_distance"]
            for resampled in rows
        ]

    def ours() -> object:
        return _judge_frechet(judged, reference, weights)

    seconds = in_turns(ours, theirs, rounds=3)
    print(machine())
    print(f"{RESAMPLES} resamples: ours {seconds[0]:.2f} s, torch-fidelity {seconds[1]:.2f} s")
    print(f"ratio frechet_interval: {seconds[2]:.2f}")


if __name__ == "__main__":
    main()
