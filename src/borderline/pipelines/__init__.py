"""The stages, in the order of the road: classifier, gasten, metrics, clustering, prototypes."""
