"""The training of classifiers: models under test, judges, and repaired models."""
