"""A state of the project, a commit or the workspace: the files that git and DVC have of it."""

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.runtime.user_errors import MissingInput, UserError

WORKSPACE = "workspace"


class Revision:
    """Read files of a commit, from git or by hash from DVC's cache, without a checkout.

    Args:
        name: what it is called in messages and tables.
        commit: full hash; empty for the workspace.

    Raises:
        UserError: this is no project, or DVC cannot read it.
    """

    def __init__(self, name: str, commit: str = "") -> None:
        from dvc.api import DVCFileSystem

        if not Path(".dvc").is_dir():
            raise MissingInput(".dvc", "not here", "run inside the project's folder")
        self.name, self.commit = name, commit
        with _told(name):
            self.files = DVCFileSystem(".", rev=commit or None)
            self.index = self.files.repo.index

    def __str__(self) -> str:
        return self.name

    def text(self, path: str) -> str | None:
        """Return a text file's content; None where this revision has none."""
        if not self.has(path):
            return None
        with self.local(path) as copy:
            return copy.read_text(errors="replace")

    def yaml(self, path: str) -> Mapping[str, Any]:
        """Return a YAML mapping; empty where this revision has none.

        Raises:
            BadParams: it is no mapping.
        """
        from stages.base.config.params import read_params

        if not self.has(path):
            return {}
        with self.local(path) as copy:
            return read_params(copy)

    def has(self, path: str) -> bool:
        """Tell whether git has a path here, or DVC a hash of it (its cache may have lost it)."""
        with _told(self.name):
            try:
                info = self.files.info(path)
            except FileNotFoundError:
                return False
        if self.commit and info["type"] == "file" and info.get("dvc_info"):
            return bool(_md5(info))
        return bool(self.commit or Path(path).exists())

    def md5(self, path: str) -> str:
        """Return the hash that DVC recorded of a file; empty where it recorded none."""
        try:
            info = self.files.info(path)
        except FileNotFoundError:
            return ""
        return _md5(info)

    def names(self, folder: str) -> list[str]:
        """List the files below a folder."""
        with _told(self.name):
            return sorted(self.files.find(folder)) if self.has(folder) else []

    @contextmanager
    def local(self, path: str) -> Iterator[Path]:
        """Give a file as a temporary copy.

        Raises:
            MissingInput: it is not in this revision, or no longer in DVC's cache.
        """
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / Path(path).name
            self.copy(path, copy)
            yield copy

    def copy(self, path: str, to: Path) -> None:
        """Copy a file out of this revision; raise MissingInput as `local`."""
        if not self.has(path):
            raise MissingInput(f"{path} of {self.name}", "was never made", "run `dvc repro` there")
        try:
            self.files.get_file(path, str(to))
        except FileNotFoundError:
            raise self.lost(path) from None

    def lost(self, path: str) -> MissingInput:
        """Return the error that tells of a file that DVC's cache does not have."""
        if not self.commit:
            todo = "`dvc pull`, or `dvc repro`"
        else:
            todo = "`dvc fetch --all-commits` brings it where a remote has it, `dvc pull` as always"
        return MissingInput(f"{path} of {self.name}", "is not in DVC's cache", todo)

    def absent(self) -> list[str]:
        """List the outs that DVC's cache does not have, whole."""
        with _told(self.name):
            outs = [out for out in self.index.outs if out.use_cache and out.hash_info]
            return sorted(str(out.def_path) for out in outs if out.changed_cache())


def _md5(info: Mapping[str, Any]) -> str:
    return str(info.get("md5") or (info.get("dvc_info") or {}).get("md5") or "")


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what DVC says of a revision into one line."""
    from dvc.exceptions import DvcException

    try:
        yield
    except DvcException as error:
        told = " ".join(str(error).split())
        raise UserError(f"dvc of {name}", f"failed: {told}", "mend what it names") from None
