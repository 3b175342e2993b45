from __future__ import annotations

import numpy as np

from borderline.pipelines.prototypes.explaining.tipping import nearest_real


def test_nearest_real_images_are_those_of_a_loop() -> None:
    random = np.random.default_rng(0)
    prototypes, real, labels = (
        random.normal(size=(3, 4)),
        random.normal(size=(20, 4)),
        np.arange(20) % 2,
    )
    nearest = nearest_real(prototypes, real, labels, 3)
    assert nearest.shape == (3, 2, 3)

    def distance(a: np.ndarray, b: np.ndarray) -> float:
        return float(1 - a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    for number, side in np.ndindex(3, 2):
        rows = [row for row in range(20) if labels[row] == side]
        rows.sort(key=lambda row: distance(prototypes[number], real[row]))
        assert nearest[number, side].tolist() == rows[:3]
    assert nearest_real(prototypes, real[:5], labels[:5], 9).shape == (3, 2, 2)
