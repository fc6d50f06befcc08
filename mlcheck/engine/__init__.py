"""Rules: loaded, bound to series, judged; findings, and their order."""
