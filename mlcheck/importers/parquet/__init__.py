"""Parquet dumps: long, wide and partitioned tables of scalars and tensors, and dumps of predictions (formats.md §3).

`footer.py` opens a file, `layout.py` finds out from its schema what its columns are, `pages.py` reads the row groups in bounded batches,
`long.py`, `wide.py` and `predictions.py` make series of them, `importer.py` puts the files of a run together.
"""
