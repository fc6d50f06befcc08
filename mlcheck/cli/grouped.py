"""A command whose help shows its options in groups."""

from typing import Any

import typer.core


class GroupedCommand(typer.core.TyperCommand):
    """Options that name a `rich_help_panel` stand under its name, after all others; in plain text, as help is written here."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group that has something to show."""
        sections: dict[str, list[Any]] = {"Arguments": [], "Options": []}
        for one in self.get_params(ctx):
            record = one.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if one.param_type_name == "argument" else "Options"
                sections.setdefault(getattr(one, "rich_help_panel", None) or usual, []).append(record)
        for name, records in sections.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)
