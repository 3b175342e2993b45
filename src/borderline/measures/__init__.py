"""What several stages measure with."""
