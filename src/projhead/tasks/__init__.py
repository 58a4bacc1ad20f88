"""Tasks that measure any encoder, one value an item; one a file."""
