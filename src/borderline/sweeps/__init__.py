"""Sweeps: the road for many pairs and seeds, as one command that can be killed and called again."""
