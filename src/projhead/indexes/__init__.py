"""Nearest-neighbor indexes by inner product on unit rows; one a file."""
