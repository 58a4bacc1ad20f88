"""Train heads and smaller networks with Lightning."""
