"""Databases that a store is loaded into: one file each."""
