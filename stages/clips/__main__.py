"""Clips of one subject: one person's videos, cut, cropped, at one rate, with a split.

    python -m stages.clips seen/NAME

Reads data/raw/NAME; writes data/clips/ROLE/NAME (see docs/formats.md, "ledger" and "frames").
Method: section 1 of docs/method.md.
"""

import sys

from pipeline import forking
from pipeline.problems import Problem, one_line
from pipeline.subjects import Subject


class NothingUsable(Problem):
    """Not one video of a subject gave a clip."""


def main(arguments: list[str]) -> None:
    """Run the stage for the subject that the command line names."""
    with one_line():
        if len(arguments) != 1:
            raise Problem("stages.clips", "expected one argument, ROLE/NAME")
        subject = Subject.parse(arguments[0])
        forking.begin(forking.MEDIAPIPE, "av", "scenedetect.detectors")
        with forking.uncollected():
            from pipeline.params import section
            from stages.clips.params import ClipsParams
            from stages.clips.run import run, summary

        rows = run(subject, section("clips", ClipsParams))
        told = summary(subject, rows)
        usable = any(row["status"] == "ok" for row in rows)
        print("\n".join(told), file=sys.stdout if usable else sys.stderr)
        if not usable:
            found = told[0].partition(": ")[2]
            raise NothingUsable(subject.name, f"nothing usable in {found}", "see the reasons above")


if __name__ == "__main__":
    main(sys.argv[1:])
