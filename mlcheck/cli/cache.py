"""`mlcheck cache info` and `mlcheck cache clear`."""

import typer

from mlcheck.cli.output import write
from mlcheck.errors import MlcheckError

cache_commands = typer.Typer(
    help="What was read and judged before and is kept, so that a second scan takes it from there.", no_args_is_help=True
)


@cache_commands.command()
def info() -> int:
    """Where the cache lies, and how much it holds."""
    from mlcheck.store.cache.place import DIRECTORY, SIZE, user_cache

    cache = user_cache()
    entries, size = cache.size()
    write(f"{cache.directory}\n{_amount(entries, size)} of at most {cache.limit / 1e6:,.0f} MB\n")
    write(f"{DIRECTORY} moves it, {SIZE} (megabytes) bounds it, mlcheck scan --no-cache passes by it.\n")
    return 0


@cache_commands.command()
def clear() -> int:
    """Remove everything that is kept."""
    from mlcheck.store.cache.place import user_cache

    cache = user_cache()
    try:
        entries, size = cache.clear()
    except OSError as error:
        raise MlcheckError(f"{cache.directory}: cannot be cleared: {error.strerror or error}") from None
    write(f"removed {_amount(entries, size)}\n")
    return 0


def _amount(entries: int, size: int) -> str:
    return f"{entries:,} {'entry' if entries == 1 else 'entries'}, {size / 1e6:,.1f} MB"
