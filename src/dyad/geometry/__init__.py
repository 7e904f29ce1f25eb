"""Verbs on raw tensors: projection, alignment, bones, grids, filtering. Imports torch alone."""
