"""The work of a comparison: runs against baseline runs, or dumps of a model against those of its predecessor, judged by rules."""
