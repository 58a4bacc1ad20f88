"""Rows to fewer bytes and back, one file each; each names the paper or format it follows."""
