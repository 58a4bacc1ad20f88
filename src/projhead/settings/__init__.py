"""Ranges of settings, and their checks."""
