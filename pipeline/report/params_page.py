"""docs/reference/params.md, written from the presets, their comments and the models (`make docs`).

python -m pipeline.report.params_page                                   # print the page
python -m pipeline.report.params_page --check docs/reference/params.md  # exit 1 if the file differs
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from pipeline.execution.params_check import SECTIONS
from pipeline.project.presets import PRESETS, presets, read_preset
from pipeline.report.generated_page import print_page

_HEAD = """# Params

Written by `make docs` from `presets/`, its comments, and the models that check params.yaml.
params.yaml holds every number that changes a result. `idiolect preset NAME` writes a preset's
values into it; your subjects stay. A preset without a value of its own has laptop's.
"""
_ANY = 1e6  # a limit that only keeps out typing errors
_LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "multiple of {}",
}


def page() -> str:
    """Return the page: a table for each section, a row for each param."""
    laptop = YAML().load((PRESETS / "laptop.yaml").read_text())
    others = [name for name in presets() if name != "laptop"]
    values = {name: dict(_leaves(read_preset(name))) for name in ["laptop", *others]}
    meanings = dict(_comments(laptop))
    keys = dict.fromkeys(key for own in values.values() for key in own)
    sections = dict.fromkeys(key.partition(".")[0] for key in keys)
    lines = [_HEAD]
    for section in sections:
        schema = _schema(section)
        lines += [
            f"## {section}",
            "",
            f"| param | laptop | {' | '.join(others)} | allowed | meaning |",
        ]
        lines.append("|---" * (len(others) + 4) + "|")
        for key in keys:
            if key.partition(".")[0] == section:
                name = key.removeprefix(f"{section}.")
                base = values["laptop"].get(key, "")
                differ = [values[other].get(key, "") for other in others]
                cells = [name, base, *("" if value == base else value for value in differ)]
                cells += [_allowed(schema, name.split(".")), meanings.get(key, "")]
                lines.append(f"| {' | '.join(str(cell).replace('|', '∣') for cell in cells)} |")
        lines.append("")
    return "\n".join(lines).rstrip()


def _leaves(content: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted key and the value of each param."""
    if isinstance(content, Mapping) and content:
        for name, value in content.items():
            yield from _leaves(value, f"{key}.{name}" if key else str(name))
    else:
        yield key, "yes" if content is True else "no" if content is False else content


def _comments(content: CommentedMap, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each key with the comment at the end of its line; a section on one line shares it."""
    for name, value in content.items():
        key = f"{prefix}{name}"
        marks = content.ca.items.get(name, [None] * 4)
        text = marks[2].value.partition("\n")[0].lstrip("# ").strip() if marks[2] else ""
        if isinstance(value, CommentedMap):
            if text:
                yield from ((f"{key}.{inner}", text) for inner in value)
            yield from _comments(value, f"{key}.")
        elif text:
            yield key, text


def _schema(section: str) -> dict[str, Any]:
    """Return the JSON schema of a section; empty for a plain number."""
    if section not in SECTIONS:
        return {}
    module, _, name = SECTIONS[section].partition(":")
    return dict(getattr(import_module(module), name).model_json_schema())


def _allowed(schema: dict[str, Any], path: list[str]) -> str:
    """Return the limits or choices of a param as text; empty where there are none."""
    node = schema
    for name in path:
        node = _resolved(schema, node).get("properties", {}).get(name, {})
    node = _resolved(schema, node)
    if "enum" in node:
        return ", ".join(map(str, node["enum"]))
    limits = {name: node[name] for name in _LIMITS if name in node}
    if limits.get("maximum", 0) >= _ANY:
        del limits["maximum"]
    return ", ".join(_LIMITS[name].format(f"{value:g}") for name, value in limits.items())


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference to another model, also that of an optional one."""
    for one in [node, *node.get("anyOf", ()), *node.get("allOf", ())]:
        if "$ref" in one:
            return dict(schema["$defs"][one["$ref"].rpartition("/")[2]])
    return node


if __name__ == "__main__":
    print_page(page(), "the presets and the models of params.yaml")
