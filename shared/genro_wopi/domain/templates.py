"""Texts with placeholders such as ``{file_name}``, filled in for a session."""

import string
from collections.abc import Mapping
from collections.abc import Set as AbstractSet


def placeholder_problem(template: str, allowed: AbstractSet[str]) -> str | None:
    """Say what is wrong with a template's placeholders; None when nothing is."""
    try:
        fields = [
            (name, spec, conversion)
            for _, name, spec, conversion in string.Formatter().parse(template)
            if name is not None
        ]
    except ValueError:
        return "close every '{' with a '}'; write '{{' for a brace"
    if any(name not in allowed or spec or conversion for name, spec, conversion in fields):
        return f"use only {', '.join(sorted(f'{{{p}}}' for p in allowed))}"
    return None


def filled(template: str, values: Mapping[str, str]) -> str:
    """Fill a template that was checked before."""
    return template.format_map(values)
