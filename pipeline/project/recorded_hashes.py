"""Recorded hashes of a project's files: by the item store, dvc.lock and DVC's cache."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.project.revision import dvc_errors
from pipeline.runtime import item_store
from pipeline.runtime.user_errors import BadFormat, UserError

NOTHING = "nothing"
RUN = "run"  # an entry of DVC's run cache, named by a hash of its content without sizes
_OBJECT, _ENTRY = re.compile(r"[0-9a-f]{30}(\.dir)?"), re.compile(r"[0-9a-f]{64}")

Hashes = Mapping[Path, str]


@dataclass(frozen=True)
class Group:
    """Files that were recorded together: an item, an out, or one object of DVC's cache.

    Attributes:
        path: the item's folder, the out or the object.
        kind: hash of its files: sha256, md5 or `RUN`.
        expected: the hash of each file; None for a folder whose listing is lost.
        present: the files that exist.
        name: DVC's hash of an out or an object.
        stage: the stage, or the .dvc file, of an out.
    """

    path: Path
    kind: str
    expected: Hashes | None
    present: frozenset[Path]
    name: str = ""
    stage: str = ""

    def files(self) -> list[Path]:
        """List the files that are expected or exist."""
        return sorted({*(self.expected or ()), *self.present})

    def differences(self, hashes: Hashes) -> list[tuple[Path, str, str]]:
        """Return path, expected hash and computed hash of each difference."""
        if not os.path.lexists(self.path):
            return [(self.path, self.name, NOTHING)]
        if self.expected is None:
            rows = sorted((p.relative_to(self.path).as_posix(), hashes[p]) for p in self.present)
            listing = json.dumps([{"md5": md5, "relpath": name} for name, md5 in rows])
            pairs = [(self.path, self.name, _listing_hash(listing.encode()))]
        else:
            pairs = [(p, self.expected.get(p, NOTHING), hashes[p]) for p in self.files()]
        return [pair for pair in pairs if pair[1] != pair[2]]


def read_item_store() -> tuple[list[Group], list[UserError], int]:
    """Return the items, an error for each unreadable manifest, and how many items have none."""
    groups: list[Group] = []
    errors: list[UserError] = []
    without = 0
    for folder in sorted(item_store.STORE.glob("??/[!.]*")):
        try:
            recorded = item_store.recorded(folder)
        except BadFormat as error:
            errors.append(error)
            continue
        if recorded is None:
            without += 1
            continue
        expected = {folder / name: sha256 for name, sha256 in recorded.items()}
        present = frozenset(item_store.files(folder).values())
        groups.append(Group(folder, "sha256", expected, present))
    return groups, errors, without


def read_dvc() -> tuple[list[Group], list[Group], list[str]]:
    """Return outs with a hash, the objects of DVC's cache, and the stages whose outs have none.

    Raises:
        UserError: DVC cannot read dvc.yaml, dvc.lock or a .dvc file.
    """
    from dvc.repo import Repo

    with dvc_errors("dvc.lock"), Repo() as repo:
        objects = Path(os.path.relpath(repo.cache.local.path))
        runs = Path(os.path.relpath(repo.stage_cache.cache_dir))
        recorded = [out for out in repo.index.outs if out.hash_info and out.hash_name == "md5"]
        unrecorded = {out.stage.addressing: 0 for out in repo.index.outs if out not in recorded}
        outs = [_out_group(out, objects) for out in recorded]
    return outs, [*_objects(objects), *_run_entries(runs)], list(unrecorded)


def _out_group(out: Any, objects: Path) -> Group:
    path, name = Path(str(out)), out.hash_info.value
    present = frozenset({path} if os.path.lexists(path) else ())
    if path.is_dir():
        files = out.dvcignore.find(out.fs, out.fs_path)
        present = frozenset(Path(os.path.relpath(file)) for file in files)
    expected = _read_listing(path, name, objects) if out.hash_info.isdir else {path: name}
    return Group(path, "md5", expected, present, name, out.stage.addressing)


def _objects(folder: Path) -> Iterator[Group]:
    for path in sorted(folder.glob("??/*")):
        if _OBJECT.fullmatch(path.name):
            name = path.parent.name + path.name
            expected = {path: name.removesuffix(".dir")}
            yield Group(path, "md5", expected, frozenset(expected), name)


def _run_entries(folder: Path) -> Iterator[Group]:
    for path in sorted(folder.glob("??/*/*")):
        if _ENTRY.fullmatch(path.name):
            yield Group(path, RUN, {path: path.name}, frozenset({path}), path.name)


def _read_listing(folder: Path, name: str, objects: Path) -> dict[Path, str] | None:
    """Return the hashes of a folder's files from DVC's cache; None if lost or damaged there."""
    try:
        content = (objects / name[:2] / name[2:]).read_bytes()
    except OSError:
        return None
    if _listing_hash(content) != name:
        return None
    return {folder / row["relpath"]: row["md5"] for row in json.loads(content)}


def _listing_hash(content: bytes) -> str:
    """Return DVC's hash of a folder from its listing."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest() + ".dir"
