"""Tables that frameworks leave behind: CSV and TSV, JSON lines, trainer_state.json, histories as JSON.

`sniff.py` finds out what a file is, `delimited.py`, `jsonlines.py` and `documents.py` read it into `columns.py`, which makes series;
`writers.toml` says what is special about each writer.
"""
