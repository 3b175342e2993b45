"""The pool: borderline images of all generators, by generator and by GAN."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from borderline.grid import base_name
from borderline.measures.facility_location import joint
from borderline.pipelines.clustering.params import ClusteringParams
from borderline.records import Pool, generators_in

Groups = Mapping[str, np.ndarray]
"""Rows of the pool, bool (P,): those of each generator, and those of each GAN, by name."""

# With fewer images of a generator in a cluster, or fewer expected images of the others, the absence
# of the others may be chance.
_FEWEST = 10


def joined(pool: Pool, field: str) -> np.ndarray:
    """The ``embeddings`` or the ``features`` of all generators, (P, D)."""
    parts = [pool[f"{name}.{field}"].numpy() for name in generators_in(pool)]
    return np.concatenate(parts) if parts else np.zeros((0, 0), dtype=np.float32)


def audience_of(candidates: np.ndarray, pool: Pool, params: ClusteringParams) -> np.ndarray:
    """The joint vectors that exemplars represent: those of all generators, (P, J), or those of the
    candidates (n, J) where the generators are not clustered together."""
    if not (params.together and pool):
        return candidates
    return joint(joined(pool, "embeddings"), joined(pool, "features"))


def groups_of(pool: Pool, gans: Mapping[str, int]) -> Groups:
    """The rows of each generator, of all repetitions of one, and of each GAN; empty where there is
    only one generator.

    Args:
        pool: The pool.
        gans: The number of the GAN of each generator, see ``grid.Layout.gans``.
    """
    names = generators_in(pool)
    counts = [len(pool[f"{name}.embeddings"]) for name in names]
    owners = np.repeat(names, counts)
    numbers = np.repeat([gans[name] for name in names], counts)
    kinds = np.array([base_name(name) for name in owners])
    repeated = [kind for kind in np.unique(kinds) if len(np.unique(owners[kinds == kind])) > 1]
    groups = {name: owners == name for name in names}
    groups |= {f"all repetitions of {kind}": kinds == kind for kind in repeated}
    groups = {name: rows for name, rows in groups.items() if not rows.all()}
    of_gans = {
        network_name(number, gans): numbers == number for number in np.unique(numbers) if number
    }
    return groups | (of_gans if len(of_gans) > 1 else {})


def network_name(number: int, gans: Mapping[str, int]) -> str:
    """The name of a GAN of step 1, or of a network that is trained once for these generators."""
    if number > 0:
        return f"GAN {number}"
    return f"the network of {' and '.join(name for name in gans if gans[name] == number)}"


def find_artefacts(labels: np.ndarray, groups: Groups, share: float) -> dict[int, str]:
    """The clusters that only one generator or one GAN fills, with its name.

    A cluster is an artefact of a group if the group makes at least ``share`` of its images, were
    all to make as many borderline images, and if chance alone does not leave the others out.

    Args:
        labels: The cluster of each image of the pool, (P,); -1 for none.
        groups: The rows of each generator and of each GAN.
        share: A share in (0, 1].
    """
    artefacts: dict[int, str] = {}
    for cluster in np.unique(labels[labels >= 0]):
        here = labels == cluster
        for name, rows in groups.items():
            own, others = here[rows].mean(), here[~rows].mean()
            enough = min(here[rows].sum(), own * (~rows).sum()) >= _FEWEST
            if enough and own >= share * (own + others):
                artefacts.setdefault(int(cluster), name)
    return artefacts
