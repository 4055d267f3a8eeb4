"""What was recorded of a project's files: by the item store, by dvc.lock and by DVC's cache.

`of_store` and `of_dvc` list it as groups of files with the hashes that they should have, and
`differences` compares a group with hashes that were just computed.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.runtime import item_store
from pipeline.runtime.user_errors import BadFormat, UserError

NOTHING = "nothing"
RUN = "run"  # an entry of DVC's run cache, named by a hash of what it says, sizes left out
_OBJECT, _ENTRY = re.compile(r"[0-9a-f]{30}(\.dir)?"), re.compile(r"[0-9a-f]{64}")

Hashes = Mapping[Path, str]


@dataclass(frozen=True)
class Group:
    """Files that were recorded together: an item, an out, or one object of DVC's cache.

    Attributes:
        path: the item's folder, the out or the object.
        kind: what its files are hashed by: sha256, md5 or `RUN`.
        expected: the hash of each file; None for a folder whose listing is lost.
        there: the files that are there.
        name: the hash that DVC knows an out or an object by.
        stage: the stage, or the .dvc file, that an out is of.
    """

    path: Path
    kind: str
    expected: Hashes | None
    there: frozenset[Path]
    name: str = ""
    stage: str = ""

    def files(self) -> list[Path]:
        """List the files that are expected or there."""
        return sorted({*(self.expected or ()), *self.there})

    def differences(self, hashes: Hashes) -> list[tuple[Path, str, str]]:
        """List all that differs: the path, the hash expected and the hash found."""
        if not os.path.lexists(self.path):
            return [(self.path, self.name, NOTHING)]
        if self.expected is None:
            found = _listing_hash({p.relative_to(self.path): hashes[p] for p in self.there})
            return [] if found == self.name else [(self.path, self.name, found)]
        pairs = [(path, self.expected.get(path, NOTHING), hashes[path]) for path in self.files()]
        return [(path, expected, found) for path, expected, found in pairs if expected != found]


def of_store() -> tuple[list[Group], list[UserError], int]:
    """Return the items, those with an unreadable manifest, and how many have none."""
    groups: list[Group] = []
    problems: list[UserError] = []
    old = 0
    for folder in sorted(item_store.STORE.glob("??/[!.]*")):
        try:
            recorded = item_store.recorded(folder)
        except BadFormat as problem:
            problems.append(problem)
            continue
        if recorded is None:
            old += 1
            continue
        expected = {folder / name: sha256 for name, sha256 in recorded.items()}
        there = frozenset(item_store.files(folder).values())
        groups.append(Group(folder, "sha256", expected, there))
    return groups, problems, old


def of_dvc() -> tuple[list[Group], list[Group], list[str]]:
    """Return outs with a hash, the objects of DVC's cache, and the stages whose outs have none.

    Raises:
        UserError: DVC cannot read dvc.yaml, dvc.lock or a .dvc file.
    """
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    try:
        with Repo() as repo:
            objects = Path(os.path.relpath(repo.cache.local.path))
            runs = Path(os.path.relpath(repo.stage_cache.cache_dir))
            outs = [_out(out, objects) for out in repo.index.outs if _hashed(out)]
            rest = {out.stage.addressing: 0 for out in repo.index.outs if not _hashed(out)}
    except (DvcException, OSError) as error:
        todo = "mend what it names (or delete dvc.lock and run `dvc repro`)"
        raise UserError("dvc", " ".join(str(error).split()), todo) from None
    return outs, [*_objects(objects), *_entries(runs)], list(rest)


def _hashed(out: Any) -> bool:
    return bool(out.hash_info) and out.hash_name == "md5"


def _out(out: Any, objects: Path) -> Group:
    """Take an out from DVC, with the files that it has in the workspace."""
    path, name = Path(str(out)), out.hash_info.value
    there = frozenset({path} if os.path.lexists(path) else ())
    if path.is_dir():
        found = out.dvcignore.find(out.fs, out.fs_path)
        there = frozenset(Path(os.path.relpath(file)) for file in found)
    expected = _listing(path, name, objects) if out.hash_info.isdir else {path: name}
    return Group(path, "md5", expected, there, name, out.stage.addressing)


def _objects(folder: Path) -> Iterator[Group]:
    for path in sorted(folder.glob("??/*")):
        if _OBJECT.fullmatch(path.name):
            name = path.parent.name + path.name
            md5 = name.removesuffix(".dir")
            yield Group(path, "md5", {path: md5}, frozenset({path}), name)


def _entries(folder: Path) -> Iterator[Group]:
    for path in sorted(folder.glob("??/*/*")):
        if _ENTRY.fullmatch(path.name):
            yield Group(path, RUN, {path: path.name}, frozenset({path}), path.name)


def _listing(folder: Path, name: str, objects: Path) -> dict[Path, str] | None:
    """Read the hashes of a folder's files from DVC's cache; None where they are not as recorded."""
    try:
        content = (objects / name[:2] / name[2:]).read_bytes()
    except OSError:
        return None
    if _dir_hash(content) != name:
        return None
    return {folder / row["relpath"]: row["md5"] for row in json.loads(content)}


def _listing_hash(files: Hashes) -> str:
    """Hash a folder as DVC does, from its files' hashes."""
    names = {path.as_posix(): md5 for path, md5 in files.items()}
    rows = [{"md5": names[name], "relpath": name} for name in sorted(names)]
    return _dir_hash(json.dumps(rows).encode())


def _dir_hash(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest() + ".dir"
