"""Install the newest releases of what the project builds on, and run the quick tests with them.

    make next                           # all of NAMES
    python .ci/next.py dvc prefect      # these only

.venv-next holds the upgraded packages and what they need, and takes all others from .venv. It
prints each version that differs, what the metadata forbids, and the tests that fail; the exit code
is that of pytest.
"""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTED, NEXT = Path(sys.prefix), ROOT / ".venv-next"  # the first is the .venv of `make`
NAMES = (
    "dvc",
    "dvclive",
    "prefect",
    "distributed",
    "torch",
    "lightning-fabric",
    "pyarrow",
    "numpy",
    "av",
    "mediapipe",
    "opencv-contrib-python",
)


def versions(folder: Path) -> dict[str, str]:
    """Return the version of each package that a virtual environment finds."""
    listed = subprocess.run(
        [folder / "bin/python", "-m", "pip", "list", "--format=json"],
        check=True,
        capture_output=True,
        text=True,
    )
    return {row["name"].lower(): row["version"] for row in json.loads(listed.stdout)}


def install(names: list[str]) -> None:
    """Make .venv-next anew, above the packages of .venv, and upgrade packages in it.

    pip is that of .venv: Python's own brings an old setuptools, which would come before .venv's.
    """
    venv.create(NEXT, clear=True)
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = Path("lib", python, "site-packages")
    (NEXT / site / "tested.pth").write_text(f"{TESTED / site}\n")
    pip = [NEXT / "bin/python", "-m", "pip", "--disable-pip-version-check"]
    for name in names:  # one by one: no release holds another back
        done = subprocess.run([*pip, "install", "-q", "--upgrade", name], check=False)
        if done.returncode:
            print(f"{name}: its newest release cannot be installed here", flush=True)


def main(names: list[str]) -> int:
    install(names or list(NAMES))
    tested, newest = versions(TESTED), versions(NEXT)
    changed = {name: new for name, new in newest.items() if tested.get(name) != new}
    for name in names or NAMES:
        if name not in changed:
            print(f"{name} {tested.get(name)}: is the newest")
    for name, new in changed.items():
        print(f"{name} {tested.get(name, 'not installed')} → {new}")
    subprocess.run([NEXT / "bin/python", "-m", "pip", "check"], check=False)
    path = os.pathsep.join([str(NEXT / "bin"), str(TESTED / "bin"), os.environ["PATH"]])
    env = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)}
    quick = ["-m", "pytest", "-n", "auto", "--maxprocesses", "4", "--dist", "loadfile", "-ra"]
    quick += ["-m", "not slow and not soak", "--tb=line", "-W", "ignore", "tests"]
    return subprocess.run([NEXT / "bin/python", *quick], cwd=ROOT, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
