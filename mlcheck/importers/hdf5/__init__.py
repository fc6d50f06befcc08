"""HDF5 dumps of tensors over steps, weights files, histories (formats.md §2)."""
