"""A committee of judges, ready to give its opinion on images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from borderline.datasets.storable import storable
from borderline.measures.inference import in_batches

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn


class Opinion(NamedTuple):
    """The opinion of a committee on n images.

    Attributes:
        probabilities: The mean of the members' probabilities of the classes, (n, K).
        disagreement: The mutual information between class and member in nats, (n,); 0 for one
            member (Houlsby et al. 2011; Gal et al. 2017).
    """

    probabilities: Tensor
    disagreement: Tensor


@storable()
@dataclass(frozen=True, kw_only=True)
class Committee:
    """Judges over all classes.

    Attributes:
        members: Networks from images (N, C, H, W) in [-1, 1] to logits (N, K); none where the judge
            is an encoder without a head, which has no opinion.
        classes: The name of each column.
        positive: The column of the pair's positive class.
        negative: The column of its negative class.
    """

    members: tuple[nn.Module, ...]
    classes: tuple[str, ...]
    positive: int
    negative: int

    def opinion(self, images: Tensor, device: torch.device) -> Opinion:
        """The opinion of at least one member on images (n, C, H, W)."""
        import torch

        of_members = []
        for member in self.members:
            network = member.to(device).eval()
            logits = in_batches(network, images, device=device)
            of_members.append(logits.double().softmax(1))
        return Opinion(*(values.float() for values in opinion_of(torch.stack(of_members))))


def opinion_of(probabilities: Tensor) -> Opinion:
    """The opinion of M members from their probabilities (M, n, K).

    The disagreement is the entropy of the mean minus the mean of the entropies: the part of the
    uncertainty that is not in the image (Gal et al. 2017, eq. 2).

    Example:
        >>> import torch
        >>> split = opinion_of(torch.tensor([[[1.0, 0.0]], [[0.0, 1.0]]]))
        >>> split.probabilities, round(split.disagreement.item(), 3)
        (tensor([[0.5000, 0.5000]]), 0.693)
    """
    import torch

    mean = probabilities.mean(0)
    entropies = torch.special.entr(probabilities).sum(-1)
    disagreement = torch.special.entr(mean).sum(-1) - entropies.mean(0)
    return Opinion(mean, disagreement.clamp(min=0))
