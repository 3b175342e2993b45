"""Places borderline images and prototypes on 2D maps."""
