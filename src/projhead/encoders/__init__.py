"""Ways from texts to unit rows, one file each."""
