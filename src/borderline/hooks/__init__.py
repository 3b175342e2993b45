"""What happens around the nodes, one concern a file."""
