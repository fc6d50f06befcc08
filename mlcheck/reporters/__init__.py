"""Pure functions from a report to text: terminal, JSON, Markdown, and the listing of `mlcheck inspect`."""
