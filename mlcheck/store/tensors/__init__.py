"""Tensors to statistics, while they are read."""
