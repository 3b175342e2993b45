"""Borderline: where, how and why is my classifier unsure?"""

__version__ = "0.1.0"
