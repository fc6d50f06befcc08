"""The rule language (docs/rules.md)."""
