"""`idiolect verify`: hash again what was recorded, and name every file that differs.

    idiolect verify          # the item store (sha256), the outs and DVC's cache (md5)

DVC hashes a file of the workspace again when its size or time has changed, and one of its cache
never; here every byte is read. Nothing is changed: each line says what to do.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pipeline.project import compare_locks
from pipeline.project.recorded_hashes import NOTHING, RUN, Group, Hashes, of_dvc, of_store
from pipeline.runtime import progress
from pipeline.runtime.cpu_count import cpu_count
from pipeline.runtime.item_store import STORE
from pipeline.runtime.user_errors import MissingInput, UserError


def run(write_lock: Path | None = None) -> int:
    """Hash everything again; print a line for all that differs, and one of counts.

    Args:
        write_lock: where to write dvc.lock with this CPU's flags if nothing differs.

    Returns:
        1 if anything differs, else 0.

    Raises:
        MissingInput: this is no project's folder.
        UserError: DVC cannot read its files, or a lock is to be written of outs that were never
        made.
    """
    if not Path(".dvc").is_dir():
        raise MissingInput(".dvc", "not here", "run inside the project's folder")
    outs, cache, unrecorded = of_dvc()
    store, problems, old = of_store()
    groups = [*store, *cache, *outs]
    hashes, size = _hash({path: group.kind for group in groups for path in group.files()})
    problems += _differing(store, cache, outs, hashes)
    for problem in problems:
        print(f"differs: {problem}")
    if old:
        todo = f"no stage uses them; to free the disk, delete {STORE}"
        print(f"not recorded: items of an older version: {old}; {todo}")
    if unrecorded:
        named = (
            ", ".join(unrecorded)
            if compare_locks.LOCK.is_file()
            else f"{compare_locks.LOCK} is not here"
        )
        print(f"not recorded: {named}; run `dvc repro`")
    counts = f"{len(store)} items, {len(outs)} outs, {len(cache)} objects of DVC's cache"
    told = f"{len(problems)} differ{'s' * (len(problems) == 1)}" if problems else "nothing differs"
    print(f"{counts}, {size / 2**20:.0f} MB: {told}")
    if write_lock and not problems:
        if unrecorded:
            raise UserError(write_lock, "not written: outs are not recorded", "run `dvc repro`")
        compare_locks.write(write_lock)
        print(f"written: {write_lock}")
    return 1 if problems else 0


def _hash(files: Mapping[Path, str]) -> tuple[dict[Path, str], int]:
    """Hash files by their kinds, side by side; return the hashes and the bytes read."""
    sizes = [path.stat().st_size if path.is_file() else 0 for path in files]
    hashes, done = {}, 0
    with (
        ThreadPoolExecutor(cpu_count()) as pool,
        progress.bar("verify (MB)", sum(sizes) >> 20) as bar,
    ):
        found = pool.map(digest, files, files.values())
        for path, size, told in zip(files, sizes, found, strict=True):
            hashes[path] = told
            if step := ((done + size) >> 20) - (done >> 20):
                bar.advance(step)
            done += size
    return hashes, done


def digest(path: Path, kind: str) -> str:
    """Hash a file by sha256, md5 or as a `RUN`; what keeps it from being read is told instead."""
    try:
        with path.open("rb") as file:
            if kind == RUN:
                return _entry_hash(file.read())
            return hashlib.file_digest(file, kind).hexdigest()
    except FileNotFoundError:
        return NOTHING
    except OSError as error:
        return f"unreadable: {error.strerror}"


def _entry_hash(content: bytes) -> str:
    """Hash an entry of DVC's run cache as DVC does."""
    from dvc.utils import dict_sha256
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        entry = YAML(typ="safe").load(content.decode())
        return str(dict_sha256(entry, exclude=["size", "nfiles"]))
    except (YAMLError, ValueError, TypeError, AttributeError, RecursionError):
        return "unreadable: not what DVC wrote"


def _differing(
    store: Sequence[Group], cache: Sequence[Group], outs: Sequence[Group], hashes: Hashes
) -> Iterator[UserError]:
    """Yield what differs, the cache before the outs that come back from it."""
    for group in store:
        todo = f"delete {group.path}: it is made again when needed"
        yield from (_told(*difference, todo) for difference in group.differences(hashes))
    damaged = {group.stage for group in outs if group.differences(hashes)}
    held = {
        name: group.stage
        for group in outs
        if group.stage not in damaged
        for name in (group.name, *(hashes[path] for path in group.there))
    }
    for group in cache:
        back = f", then `dvc commit {held[group.name]}`" if group.name in held else ""
        yield from (_told(*d, f"delete it{back}") for d in group.differences(hashes))
    whole = {group.name for group in cache if not group.differences(hashes)}
    for group in outs:
        for path, expected, found in group.differences(hashes):
            yield _told(path, expected, found, _todo(group, expected, found, whole))


def _told(path: Path, expected: str, found: str, todo: str) -> UserError:
    short = (text if " " in text else text[:12] for text in (expected, found))
    return UserError(path, "expected {}, found {}".format(*short), todo)


def _todo(group: Group, expected: str, found: str, whole: set[str]) -> str:
    """Say how a file of the workspace comes back; `whole` names what the cache still has."""
    delete = "" if found == NOTHING else "delete it, then "
    if expected == NOTHING:
        return "delete it"
    if group.expected is None and found != NOTHING:
        delete = f"which file is not known: its listing is not in DVC's cache; {delete}"
    elif expected in whole:
        return f"{delete}`dvc checkout {group.path}`"
    if group.stage.endswith(".dvc"):
        return f"{delete}copy it again from where it came, or `dvc pull {group.path}`"
    return f"{delete}`dvc repro {group.stage}`"
