"""Encode texts as unit rows; one kind of encoder a file."""
