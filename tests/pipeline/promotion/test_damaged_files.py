"""Damaged files of a project cost each command one line: bits, cuts, other types, odd values."""

import random
from pathlib import Path

import pytest

from pipeline.cli.app import main

pytestmark = [
    pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning"),  # DVC's own
    pytest.mark.slow,
]
FILES = (
    *("dvc.lock", "params.yaml", "promotion.yaml", "dvc.yaml", "versions.yaml"),
    *("data/raw/ann.dvc", ".dvc/config"),
)
COMMANDS = ("champion", "promote --dry", "compare champion", "rollback --to 1", "repro --dry")
OTHERS = (b"", b"null\n", b"1\n", b"[1]\n", b"{}\n", b"a: b: c\n", b"\xff\xfe\0", b"--- 1\n--- 2\n")
VALUES = (b"", b" null", b" []", b" {a: 1}", b" -1", b" .nan", b" x", b" 2026-01-01", b" [1, [2]]")


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Change a YAML file in one of six ways."""
    lines = data.splitlines(keepends=True)
    number = draw.randrange(len(lines))
    kind = draw.randrange(6)
    if kind == 0:
        return draw.choice(OTHERS)
    if kind == 1:
        return data[: draw.randrange(len(data))]
    if kind == 2:
        bits = bytearray(data)
        for _ in range(3):
            bits[draw.randrange(len(bits))] ^= 1 << draw.randrange(8)
        return bytes(bits)
    if kind == 3:
        del lines[number]
    elif kind == 4:
        lines.insert(draw.randrange(len(lines)), lines[number])
    else:
        lines[number] = lines[number].partition(b":")[0] + b":" + draw.choice(VALUES) + b"\n"
    return b"".join(lines)


@pytest.mark.parametrize("seed", range(42))
def test_a_damaged_file_costs_one_line(
    project: Path,
    seed: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    draw = random.Random(seed)
    path, command = Path(FILES[seed % len(FILES)]), draw.choice(COMMANDS)
    path.write_bytes(damaged(path.read_bytes() or b"[core]\n    autostage = false\n", draw))
    monkeypatch.setattr("sys.argv", ["idiolect", *command.split()])
    with pytest.raises(SystemExit) as ended:
        main()
    errors = capsys.readouterr().err.splitlines()
    said = [line for line in errors if line.startswith("error: ")]
    printed_table = command == "promote --dry" and not said  # a decision with a fault
    assert len(said) == int(bool(ended.value.code) and not printed_table), (path, command, errors)
