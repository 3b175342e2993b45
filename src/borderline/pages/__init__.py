"""Pages for a browser without network or server: what all of them share."""
