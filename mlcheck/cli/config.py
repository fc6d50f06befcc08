"""`mlcheck config`: every value that holds, and where it came from."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mlcheck.cli.effective import baseline_path, effective, scan_options
from mlcheck.cli.options import Config, Isolated, Profile, RulesDirs
from mlcheck.cli.output import write

if TYPE_CHECKING:
    from mlcheck.settings import Settings

_DEFAULTS = {"fail-on": "error", "fail-when": "any", "min-severity": "info", "max-chars": "60000", "jobs": "the cores"}
"""What holds where nobody says anything."""


def config(config: Config = None, isolated: Isolated = False, profile: Profile = None, rules: RulesDirs = None) -> int:
    """Show each setting that holds, and where it came from: option, variable, file, profile or default."""
    from mlcheck.work import select_rules

    found = effective(config, isolated=isolated, profile=profile)
    lines = [*_settings(found), ("", "", ""), *_comparison(found)]
    registry, selected = select_rules(scan_options(found, rules_dirs=rules or ()))
    changed = {registry.get(word).id: (word, one) for word, one in found.rules.items()}
    lines.append(("", "", ""))
    for one in selected:
        word, own = changed.get(one.rule.id, ("", None))
        where = f"{found.origins.get('rules', '')}: rules.{word}" if own else ""
        name = f"{one.rule.id} ({one.rule.name})"
        if one.severity:
            lines.append((f"{name} severity", one.severity, where))
        for param, value in one.params.items():
            set_here = own is not None and param in own.params
            lines.append((f"{name} {param}", _shown(value), where if set_here else "default"))
        if not one.params and not one.severity:
            lines.append((name, "on", "default" if not found.select else found.origins.get("select", "")))
    left, middle = (max(len(line[at]) for line in lines) for at in (0, 1))
    for name, value, origin in lines:
        write(f"{name:<{left}}  {value:<{min(middle, 60)}}  {origin}".rstrip() + "\n")
    return 0


def _settings(found: "Settings") -> Iterator[tuple[str, str, str]]:
    from mlcheck.settings import keys

    for key in keys():
        if key in ("rules", "compare"):
            continue
        value = getattr(found, key.replace("-", "_"))
        origin = found.origins.get(key, "default")
        if key == "baseline" and not value:
            path = baseline_path(found, off=False)
            value, origin = (str(path), "found here") if path else (None, origin)
        if key in ("roles", "runs", "suppress"):
            for one in value:
                yield f"{key}", _shown(one), origin
            continue
        yield key, _shown(value) if value not in (None, ()) else _DEFAULTS.get(key, "none"), origin


def _comparison(found: "Settings") -> Iterator[tuple[str, str, str]]:
    from mlcheck.settings.compare import COMPARE_KEYS

    for one in COMPARE_KEYS:
        told = found.compare.get(one.key)
        value = (_plain(told.value) or '""') if told else one.default or "none"
        yield f"compare.{one.key}", value, told.origin if told else "default"


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple | list):
        return ", ".join(map(str, value))
    if hasattr(value, "__dataclass_fields__"):
        parts = ((name, getattr(value, name)) for name in value.__dataclass_fields__)
        return ", ".join(f"{name} {_plain(one)}" for name, one in parts if one not in (None, (), "*") and one != {})
    return str(value)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_shown(one)}" for key, one in value.items())
    return _shown(value)
