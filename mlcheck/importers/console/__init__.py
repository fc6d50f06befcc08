"""Plain standard output: what a job printed, read line by line (formats.md §5, last row)."""
