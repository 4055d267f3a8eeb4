"""Renamed keys of params.yaml; champions of earlier versions still have the old names."""

from collections.abc import Mapping
from typing import Any

RENAMED = {
    "motion.mouth.rate": "motion.mouth.learning_rate",
    "motion.pose.rate": "motion.pose.learning_rate",
    "style_mapping.rate": "style_mapping.learning_rate",
    "generator.lr": "generator.learning_rate",
    "generator.discriminator.lr": "generator.discriminator.learning_rate",
    "style_generator.lr": "style_generator.learning_rate",
}


def renames_in(params: Mapping[str, Any]) -> list[str]:
    """Return `OLD → NEW` for each old key that params still have."""
    return [f"{old} → {new}" for old, new in RENAMED.items() if _parent(params, old) is not None]


def with_new_names(text: str) -> str:
    """Return the text of a params.yaml with the new names and no other change."""
    from ruamel.yaml import YAML

    params = YAML().load(text)
    lines = text.splitlines(keepends=True)
    places = []
    for old, new in RENAMED.items():
        if (parent := _parent(params, old)) is not None:
            key, new_key = old.rpartition(".")[2], new.rpartition(".")[2]
            places.append((*parent.lc.key(key), key, new_key))
    for row, column, key, new_key in sorted(places, reverse=True):
        line = lines[row]
        lines[row] = line[:column] + line[column:].replace(key, new_key, 1)
    return "".join(lines)


def _parent(params: Any, key: str) -> Any:
    """Return the mapping that holds a dotted key; None where params do not have it."""
    *sections, last = key.split(".")
    for section in sections:
        params = params.get(section) if isinstance(params, Mapping) else None
    return params if isinstance(params, Mapping) and last in params else None
