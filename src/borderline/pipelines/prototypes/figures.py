"""The prototype sheet and the 2D map."""

from __future__ import annotations

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor

from borderline.measures.plots import PROBABILITY_COLOURS, add_probability_scale, as_picture

_COLUMNS = 8
# Red towards the positive class, as in the scale of p.
_PUSH_COLOURS = matplotlib.colormaps["RdBu_r"]


def draw_prototypes(
    images: Tensor, p: Tensor, attributions: Tensor, sizes: list[int], note: str
) -> Figure:
    """Each prototype beside its heat map: what pushes the model to which class.

    Args:
        images: Prototypes in [-1, 1], shape (K, C, H, W); may be none.
        p: Their probabilities, shape (K,).
        attributions: Of each pixel, shape (K, H, W), on one common scale.
        sizes: Images of each prototype's cluster.
        note: What to say when there is no prototype.
    """
    count = len(images)
    if count == 0:
        figure = Figure(figsize=(8, 2), layout="constrained")
        figure.text(0.5, 0.5, f"No prototypes: {note}.", ha="center", va="center", wrap=True)
        return figure
    columns = min(count, _COLUMNS)
    blocks = -(-count // columns)
    figure = Figure(
        figsize=(1.7 * columns + 2.2, 3.7 * blocks + 1.0), layout="constrained", dpi=130
    )
    figure.suptitle(
        "One prototype for each pattern, and its GradientSHAP map below:\n"
        "red pixels push the model to the positive class, blue ones to the negative"
    )
    axes = figure.subplots(2 * blocks, columns, squeeze=False)
    for ax in axes.flat:
        ax.set(xticks=[], yticks=[])
        for spine in ax.spines.values():
            spine.set_visible(False)
    limit = float(attributions.abs().quantile(0.995)) or 1.0
    for i, picture in enumerate(as_picture(images)):
        above, below = axes[2 * (i // columns) : 2 * (i // columns) + 2, i % columns]
        above.imshow(picture, interpolation="nearest")
        above.set_title(f"{i}: p = {float(p[i]):.2f}\n{sizes[i]} images", fontsize=9)
        for spine in above.spines.values():
            spine.set(visible=True, color=PROBABILITY_COLOURS(float(p[i])), linewidth=4)
        below.imshow(blend(picture, attributions[i].numpy() / limit), interpolation="nearest")
    # Beside the first two rows only: over all rows the two scales would lie upon each other.
    add_probability_scale(figure, list(axes[0]))
    bar = figure.colorbar(
        ScalarMappable(Normalize(-limit, limit), _PUSH_COLOURS),
        ax=list(axes[1]),
        fraction=0.04,
        pad=0.02,
        format="%+.3f",
    )
    bar.set_label("pushes p down / up", fontsize=9)
    return figure


def blend(picture: np.ndarray, push: np.ndarray) -> np.ndarray:
    """A heat map over a pale picture: the stronger the push, the more of the colour is seen.

    Args:
        picture: Values in [0, 1], shape (H, W, 3).
        push: Signed strengths, shape (H, W); beyond -1 and 1 they are cut.

    Returns:
        Values in [0, 1], shape (H, W, 3).
    """
    strength = np.clip(np.abs(push), 0, 1)[..., None]
    # Bright strokes become grey on white, so that both colours of the map stand out on them.
    pale = 1 - 0.35 * picture.mean(-1, keepdims=True)
    colours = _PUSH_COLOURS(np.clip(push, -1, 1) / 2 + 0.5)[..., :3]
    blended: np.ndarray = (1 - strength) * pale + strength * colours
    return blended.clip(0, 1)


def draw_map(
    test_map: np.ndarray,
    test_labels: np.ndarray,
    borderline_map: np.ndarray,
    labels: np.ndarray,
    prototypes: np.ndarray,
) -> Figure:
    """The 2D map: test set by class, borderline images by cluster, prototypes by number.

    Args:
        test_map: Coordinates of the test set, shape (M, 2).
        test_labels: 0 or 1, shape (M,).
        borderline_map: Coordinates of the borderline images, shape (n, 2).
        labels: Their clusters, shape (n,), from 0; -1 for none.
        prototypes: Rows of the prototypes among the borderline images, shape (K,).
    """
    figure = Figure(figsize=(9, 7), layout="constrained", dpi=130)
    axes = figure.subplots()
    for label, name, shade in ((0, "negative", 0.08), (1, "positive", 0.92)):
        own = test_map[test_labels == label]
        axes.scatter(
            own[:, 0],
            own[:, 1],
            s=14,
            color=PROBABILITY_COLOURS(shade),
            alpha=0.35,
            label=f"test set: {name}",
        )
    palette = matplotlib.colormaps["tab10" if len(prototypes) <= 10 else "tab20"]
    for cluster, row in enumerate(prototypes):
        own, colour = borderline_map[labels == cluster], palette(cluster % palette.N)
        axes.scatter(own[:, 0], own[:, 1], s=9, marker="x", linewidths=0.8, color=colour)
        axes.annotate(
            str(cluster),
            borderline_map[row],
            ha="center",
            va="center",
            fontsize=8,
            fontweight="bold",
            bbox={"boxstyle": "circle", "facecolor": "white", "edgecolor": colour},
        )
    axes.set(
        title="The model's view: real test images (dots), borderline images by cluster (crosses),\n"
        "prototypes (numbers)",
        xlabel="UMAP 1, fitted on the test set",
        ylabel="UMAP 2",
        xticks=[],
        yticks=[],
    )
    axes.legend(loc="best", markerscale=1.5)
    return figure
