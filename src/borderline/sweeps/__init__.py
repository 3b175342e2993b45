"""Sweeps: ``kedro run`` for many pairs and seeds, as one command that can be killed and resumed."""
