"""Smaller networks for a teacher's head: what they start from, and how they are distilled."""
