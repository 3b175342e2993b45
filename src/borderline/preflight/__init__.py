"""All that is checked before the first node runs, each fault in one sentence."""
