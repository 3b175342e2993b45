"""Models and generators that were trained elsewhere: reading, checks, adapters."""
