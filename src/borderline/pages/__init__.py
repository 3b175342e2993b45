"""Pages that need no network and no server: what all of them share."""
