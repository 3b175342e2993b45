"""The selections, baselines and null hypotheses of the validation, and their names."""

from __future__ import annotations

from typing import Literal, get_args

Selection = Literal[
    "medoid",
    "medoid_embedding",
    "centroid",
    "centroid_embedding",
    "density",
    "density_embedding",
    "random",
    "k_medoids",
    "mmd_critic",
    "exemplars",
]
SELECTIONS: tuple[Selection, ...] = get_args(Selection)
OVER_ALL: tuple[Selection, ...] = ("k_medoids", "mmd_critic", "exemplars")
"""The selections that do not use the clusters."""

MOST_AMBIGUOUS = "most_ambiguous"
RANDOM_BORDERLINE = "random_borderline"
REAL_BORDERLINE = "real_borderline"
BASELINES = (REAL_BORDERLINE, RANDOM_BORDERLINE, MOST_AMBIGUOUS)
"""Images chosen without any clusters, to compare the prototypes with."""

NAMES = {
    "medoid": "Medoids",
    "medoid_embedding": "Medoids in the embedding",
    "centroid": "Images nearest to the cluster means",
    "centroid_embedding": "Images nearest to the cluster means in the embedding",
    "density": "Densest images",
    "density_embedding": "Densest images in the embedding",
    "random": "Random images of each cluster",
    "k_medoids": "k-medoids of all images",
    "mmd_critic": "Prototypes of MMD-critic",
    "exemplars": "Exemplars",
    REAL_BORDERLINE: "Random real borderline images",
    RANDOM_BORDERLINE: "Random borderline images",
    MOST_AMBIGUOUS: "Most ambiguous images",
}
"""The names of the selections and baselines in sentences and figures."""

BETTER = {
    "cosine_similarity": "lower",
    "euclidean_distance": "higher",
    "coverage_area": "higher",
    "facility_location": "higher",
    "dispersion": "higher",
    "precision": "higher",
    "stability": "higher",
}
"""The better end of each measure."""

NULLS = {"": "random", "_of_cluster": "random_of_cluster", "_of_labels": "shuffled_labels"}
"""Null hypotheses: p-value column suffix -> column with the mean under that null."""

LEVELS = {
    "seeds": "with other seeds",
    "resamples": "in resamples of the images",
    "images": "in other images of the generators",
    "generators": "with other generators",
    "gans": "with other GANs",
}
"""Where the patterns may be found again, the nearest first, in words."""
