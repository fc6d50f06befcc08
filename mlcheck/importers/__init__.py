"""One file per format: from bytes to series, with nothing of rules."""
