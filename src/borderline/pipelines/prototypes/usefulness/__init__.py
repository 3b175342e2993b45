"""Asks whether the patterns help: the model's errors near them, and abstaining near them."""
