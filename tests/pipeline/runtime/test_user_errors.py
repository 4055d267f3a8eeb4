import errno
import pickle
from pathlib import Path

import pytest

from pipeline.runtime.user_errors import BadParams, UserError, report_user_errors


def test_a_user_error_is_one_line_and_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped, report_user_errors():
        raise BadParams("clips.fps", "expected more than 0, found -1", "set it to 25")
    assert stopped.value.code == 1
    line = capsys.readouterr().err
    assert line == "error: clips.fps: expected more than 0, found -1; set it to 25\n"


def test_ctrl_c_is_one_line_and_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped, report_user_errors():
        raise KeyboardInterrupt
    assert stopped.value.code == 130
    assert capsys.readouterr().err.count("\n") == 1


def test_a_user_error_can_pass_between_processes() -> None:
    back = pickle.loads(pickle.dumps(BadParams("a", "b", "c")))
    assert (type(back), str(back)) == (BadParams, "a: b; c")


def test_other_errors_are_not_hidden() -> None:
    with pytest.raises(ZeroDivisionError), report_user_errors():
        raise ZeroDivisionError
    assert str(UserError("a", "b")) == "a: b"


def test_an_unusable_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped, report_user_errors():
        (tmp_path / ("a" * 300)).read_text()
    assert stopped.value.code == 1
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert "aaa: file name too long" in line


@pytest.mark.parametrize(
    "error",
    [
        OSError("no usable temporary directory"),
        OSError(errno.ENOSPC, "No usable\ntemporary directory"),
        OSError(),
    ],
)
def test_an_error_of_the_system_without_a_file_is_one_line(
    error: OSError, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped, report_user_errors():
        raise error
    assert stopped.value.code == 1
    line = capsys.readouterr().err
    assert line.startswith("error: this machine: ")
    assert line.count("\n") == 1


def test_a_name_with_a_line_break_or_none_at_all_is_shown_on_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, shown in (("two\nlines", "two\\nlines"), ("", "''"), ("caf\udce9", "caf\\udce9")):
        with pytest.raises(SystemExit), report_user_errors():
            raise UserError(name, "no such file")
        assert capsys.readouterr().err == f"error: {shown}: no such file\n"
