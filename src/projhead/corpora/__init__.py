"""Texts to train on, to encode and to search, one source a file."""
