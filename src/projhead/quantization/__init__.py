"""Quantize the weights and products of networks."""
