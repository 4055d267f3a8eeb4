"""Refuse the YAML files of a project that would cost a parser its memory, its time or its stack.

Other people's projects, and damaged disks, hold files that no user writes: DVC reads params.yaml
before any model of ours validates it, and deep nesting ends its C parser without an error.
"""

import re
from pathlib import Path

from pipeline.runtime.user_errors import BadFormat, BadParams, UserError

_WRITTEN_BY_HAND, _WRITTEN_BY_DVC = 256 << 10, 64 << 20  # bytes
_LIMITS = {
    **dict.fromkeys(
        ("params.yaml", "dvc.yaml", "versions.yaml", "promotion.yaml"), _WRITTEN_BY_HAND
    ),
    "dvc.lock": _WRITTEN_BY_DVC,
}
_DEEPEST, _LARGEST = 100, 100_000  # levels; values after all aliases are written out
_COMMENT = re.compile(rb"(?:^|\s)#[^\n]*")
_BRACKET = re.compile(rb"[\[\]{}]")
_NESTED_LINE = re.compile(rb"(?:[-?:][ \t]+){%d}" % _DEEPEST)
_ALIAS = re.compile(rb"(?:^|[\s\[{,:-])\*\w")
_TODO = "restore it, as by `git checkout {}`"
_AGAIN = "delete it, and add the videos again with `idiolect add`"


def check(root: Path = Path()) -> None:
    """Check the files that DVC and this project read; those that do not exist pass.

    Raises:
        BadParams: a file is too large, nested too deeply, or grows too much by its aliases.
        BadFormat: a .dvc file of data names a path outside of its folder.
    """
    for name, limit in _LIMITS.items():
        _check_yaml(root / name, limit)
    for path in sorted(root.glob("data/*/*.dvc")):
        _check_yaml(path, _WRITTEN_BY_HAND)
        _check_tracked_paths(path)


def _check_yaml(path: Path, limit: int) -> None:
    if not path.is_file():
        return
    todo = _TODO.format(path)
    if (size := path.stat().st_size) > limit:
        raise BadParams(path, f"expected at most {limit >> 10} KB, found {size >> 10} KB", todo)
    text = path.read_bytes()
    depth = deepest = 0
    for bracket in _BRACKET.findall(_COMMENT.sub(b"", text)):
        depth = max(depth + (1 if bracket in b"[{" else -1), 0)
        deepest = max(deepest, depth)
    if deepest > _DEEPEST or _NESTED_LINE.search(text):
        raise BadParams(path, f"is nested more than {_DEEPEST} levels deep", todo)
    if _ALIAS.search(text):
        _check_aliases(path, text)


def _check_aliases(path: Path, text: bytes) -> None:
    """Raise BadParams if a text has too many values when each alias is written out."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, NodeEvent

    sizes: dict[str, int] = {}
    opened: list[list[object]] = [["", 0]]  # anchor and size of each collection around
    try:
        for event in YAML(typ="safe").parse(text):
            size = 1
            if isinstance(event, CollectionStartEvent):
                opened.append([event.anchor, 0])
                continue
            if isinstance(event, CollectionEndEvent):
                anchor, inside = opened.pop()
                size = int(str(inside)) + 1
            elif isinstance(event, AliasEvent):
                anchor, size = None, sizes.get(event.anchor, _LARGEST)
            elif isinstance(event, NodeEvent):
                anchor = event.anchor
            else:
                continue
            if anchor:
                sizes[str(anchor)] = size
            opened[-1][1] = int(str(opened[-1][1])) + size
            if int(str(opened[-1][1])) >= _LARGEST:
                found = f"has more than {_LARGEST} values when its aliases (*name) are written out"
                raise BadParams(path, found, "write each value once")
    except (YAMLError, UnicodeDecodeError):
        return  # whoever reads it reports where it is wrong


def _check_tracked_paths(path: Path) -> None:
    """Raise BadFormat if a .dvc file names no path or one outside; DVC reports a torn one."""
    from stages.base.config.params import read_params

    try:
        content = read_params(path)
    except UserError:
        return
    outs, folder = content.get("outs"), content.get("wdir")
    listed = outs if isinstance(outs, list) else [outs]
    paths = [out.get("path") if isinstance(out, dict) else None for out in listed]
    names = [name for name in paths if isinstance(name, str)]
    if not names or len(names) < len(paths):
        raise BadFormat(path, f"expected `outs` with a path each, found {outs!r}", _AGAIN)
    for name in [*names, *([folder] if isinstance(folder, str) else [])]:
        if Path(name).is_absolute() or ".." in Path(name).parts or "://" in name:
            raise BadFormat(path, f"tracks {name!r}, outside of its own folder", _AGAIN)
