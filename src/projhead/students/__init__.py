"""Smaller networks for a head, and their distillation."""
