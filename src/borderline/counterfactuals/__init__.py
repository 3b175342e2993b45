"""Real images at the boundary: the nearest one on it, and the smallest change of the decision."""
