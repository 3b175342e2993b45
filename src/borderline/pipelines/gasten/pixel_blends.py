"""Blends of two real images: a straight line in pixel space, stopped on the boundary."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from borderline.boundary import Pairs, logit
from borderline.measures.inference import in_batches, predict
from borderline.params import RunParams
from borderline.records import LabelledImages
from borderline.sampling import Parts, Sampler, part_sizes
from borderline.searching import find_crossings, is_distinct, pair_up


@dataclass(frozen=True, kw_only=True)
class BlendSampler(Sampler):
    """Blends of a real image of each class, both correctly classified, on the boundary.

    Attributes:
        tolerance: The largest distance of a centred probability from 0.5.
    """

    pairs: Pairs
    tolerance: float

    def sample(
        self,
        classifier: nn.Module,
        real: LabelledImages,
        images: int,
        run: RunParams,
        threshold: float,
    ) -> Parts:
        """Blends on the boundary."""
        device, random = run.torch_device(), run.generator("pixel bisection")
        classifier = classifier.to(device).eval()

        def logits_of(batch: Tensor) -> Tensor:
            """Logits that are 0 on the boundary."""
            return in_batches(classifier, batch, device=device) - logit(threshold)

        labels, logits = real["labels"], logits_of(real["images"])
        below, above = (labels == 0) & (logits < 0), (labels == 1) & (logits > 0)
        if not below.any() or not above.any():
            yield {"images": real["images"][:0], "probabilities": logits[:0]}
            return "the model classifies no real image of one class correctly: nothing to blend"
        sides = real["images"][below], real["images"][above]
        all_rows = pair_up(*sides, images, self.pairs, "euclidean", random)
        start, count = 0, 0
        for size in part_sizes(len(all_rows[0])):
            rows = tuple(side_rows[start : start + size] for side_rows in all_rows)
            start += size
            first, last = sides[0][rows[0]], sides[1][rows[1]]
            shares, converged = find_crossings(
                lambda places, paths, first=first, last=last: logits_of(  # type: ignore[misc]
                    _blended(first[paths], last[paths], places)
                ),
                logits[below][rows[0]],
                logits[above][rows[1]],
                torch.full((size,), 0.5),
                self.tolerance,
            )
            blends = _blended(first, last, shares)[converged]
            blends = blends[is_distinct(blends)]
            count += len(blends)
            yield {"images": blends, "probabilities": predict(classifier, blends, device)}
        if count == images:
            return ""
        return (
            f"{len(all_rows[0])} pairs of real images gave {count} different blends on the "
            f"boundary; {images} were requested"
        )


def _blended(first: Tensor, last: Tensor, shares: Tensor) -> Tensor:
    weight = shares.to(first.dtype)[:, None, None, None]
    return torch.lerp(first, last, weight)
