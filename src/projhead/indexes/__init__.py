"""Nearest-neighbor indexes behind one door, one file each; the inner product on unit rows everywhere."""
