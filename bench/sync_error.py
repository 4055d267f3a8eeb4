"""Measure the error of the estimated lag between a clip's sound and its lips.

    python bench/sync_error.py     # three processor minutes, half of them only once

1. Every clip unchanged; real clips (../shared/data, skipped where absent) beside the estimate of
   their README.
2. The sound of a whole clip shifted by known times, padded with silence: the error of a change is
   the estimate less the shift less the estimate of the unshifted clip. The sample's lips do not
   lead, so that -50 ms (sync.LEAD) is its truth.
3. Pieces of long clips whose own lag is sure, their sound shifted by up to 0.2 s within the
   searched range: the error is the estimate less the whole clip's less the shift.
4. Pieces with a piece of another person's sound.

ok: sure enough to be corrected; rejected: classified as another's sound; assumed: neither.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import testbed
from numpy.typing import NDArray

from stages.base.face.face_measures import mouth_opening
from stages.base.io import tables
from stages.base.io.timebase import AUDIO_RATE
from stages.base.io.wav_files import read_wav
from stages.clips.ledger import Clip
from stages.landmarks.artifacts import LANDMARKS
from stages.speech.mel import log_mel
from stages.speech.sync import LEAD, LONGEST_LAG, Sync, assess_sync, measure_sync, measured_span

README = {
    "newscaster": -20,
    "weekly_256_late_audio": 180,
    "weekly_450_late_audio": 180,
    "20s": -20,
    "8s": 0,
    "neutral": 0,
    "happy": 80,
    "61s": -80,
    "5s": 80,
    "bbaf2n": -60,
    "sbwe5n": -60,
    "variable_rate_22fps": -140,
    "half_body_hevc_portrait": -40,
    "71s": -20,
}  # ms; the six weekly_720: 0 to +80 together, music_over_face: no sync
WELL_SYNCED = ("newscaster", "german", "senator", "studio_w015", "weekly_720")
STEPS = {*range(-240, 241, 40), *range(-240, 241, 60)}
ODD = {-233, -107, -53, -13, 27, 71, 139, 217}  # ms; on no grid of ours
LENGTHS = (3, 5, 7, 10, 13, 16)  # seconds of a piece
BESIDE = (-0.2, -0.06, 0.0, 0.1, 0.2)  # seconds that a piece's sound is taken late
MOST = 6  # pieces of one clip and length
OTHERS = 4  # other people's sounds to a piece


@dataclass(frozen=True)
class Recorded:
    """One clip: its person, mouth opening (N,), sound, frames a second."""

    person: str
    clip: str
    opening: NDArray[np.float64]
    sound: NDArray[np.float32]
    fps: float

    def of(self, name: str) -> bool:
        return self.person.startswith(name) or self.clip.startswith(name)


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    ).parse_args()
    with testbed.own_folder() as home:
        clips = {name: testbed.sample(name)[0] for name in testbed.samples()} | testbed.shared(home)
        recorded = [_read(name, clip) for name, found in clips.items() for clip in found]
    estimates = [_estimate(one, one.sound) for one in recorded]
    _report_unchanged(recorded, estimates)
    _report_shifts(recorded, estimates)
    long = [(one, sync) for one, sync in zip(recorded, estimates, strict=True) if sync.is_reliable]
    _report_pieces(long, recorded)


def _read(name: str, clip: Clip) -> Recorded:
    path = Path("data/landmarks/seen") / name / f"{clip.id}.parquet"
    rows = tables.read(path, LANDMARKS, ["valid", "head"])
    opening = np.where(rows["valid"], mouth_opening(rows["head"]), np.nan)
    sound, _ = read_wav(clip.audio, 0, round(clip.frames / clip.fps * AUDIO_RATE))
    return Recorded(name, clip.id, opening, sound, clip.fps)


def _estimate(one: Recorded, sound: NDArray[np.float32]) -> Sync:
    frames = len(one.opening)
    first, end = measured_span(0, frames, one.fps)
    mel, _ = log_mel(sound, one.fps, frames)
    return measure_sync(mel[2 * first : 2 * end], one.opening[first:end], one.fps)


def _status(sync: Sync) -> str:
    return assess_sync({"-": sync})["-"].status


def _report_unchanged(recorded: list[Recorded], estimates: list[Sync]) -> None:
    print("| clip | seconds | found, ms | r | strength | | taken, ms | README, ms | apart |")
    print("|---|---|---|---|---|---|---|---|---|")
    for one, sync in zip(recorded, estimates, strict=True):
        readme = README.get(one.clip.rpartition("-")[0])
        verdict = assess_sync({one.clip: sync})[one.clip]
        apart = f"{1000 * verdict.late - readme:+.0f}" if readme is not None else ""
        print(
            f"| {one.person} {one.clip} | {sync.seconds:.1f} | {1000 * sync.offset:+.0f} |"
            f" {sync.correlation:.2f} | {sync.strength:.2f} | {verdict.status} |"
            f" {1000 * verdict.late:+.0f} | {'' if readme is None else readme} | {apart} |"
        )


def _report_shifts(recorded: list[Recorded], estimates: list[Sync]) -> None:
    print("\n| sound moved by -240 to 240 ms | clips | trials | ok | assumed | rejected |", end="")
    print(" error of the change (ok): mean, ms | max | within 40 ms | all: within 40 ms |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in ("sample", *WELL_SYNCED):
        pairs = zip(recorded, estimates, strict=True)
        group = [(one, own) for one, own in pairs if one.of(name)]
        trials = [(shift, own, sync) for one, own in group for shift, sync in _shift(one)]
        if not trials:
            continue
        statuses = Counter(_status(sync) for _, _, sync in trials)
        change = np.array([sync.offset - own.offset - shift for shift, own, sync in trials])
        sure = np.array([own.is_reliable and sync.is_reliable for _, own, sync in trials])
        print(
            f"| {name} | {len(group)} | {len(trials)} | {statuses['ok']} |"
            f" {statuses['assumed']} | {statuses['rejected']} | {_errors(change[sure])} |"
            f" {np.mean(np.abs(change) <= 0.04):.3f} |"
        )
        if name == "sample":
            absolute = np.array([sync.offset + LEAD - shift for shift, _, sync in trials])
            print(f"| sample, absolute | | | | | | {_errors(absolute[sure])} | |")


def _shift(one: Recorded) -> Iterator[tuple[float, Sync]]:
    """Yield each shift in seconds and the estimate for the sound shifted by it."""
    for milliseconds in sorted((STEPS | ODD) - {0}):
        count = round(milliseconds / 1000 * AUDIO_RATE)
        padded = np.pad(one.sound, abs(count))
        sound = padded[abs(count) - count :][: len(one.sound)]
        yield milliseconds / 1000, _estimate(one, sound)


def _errors(errors: NDArray[np.float64]) -> str:
    if not len(errors):
        return " | |"
    size = np.abs(errors)
    return (
        f"{1000 * size.mean():.1f} | {1000 * size.max():.0f} |"
        f" {(size <= 0.04).sum()} of {len(size)}"
    )


def _report_pieces(long: list[tuple[Recorded, Sync]], recorded: list[Recorded]) -> None:
    print(
        "\n| pieces of | own sound | ok | assumed | rejected | error (ok): mean, ms | max |", end=""
    )
    print(" within 40 ms | other's sound | ok | assumed | rejected |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    rng = np.random.default_rng(0)
    mels = {one.clip: log_mel(one.sound, one.fps, len(one.opening))[0] for one in recorded}
    for seconds in LENGTHS:
        own: list[tuple[float, Sync]] = []
        foreign: list[Sync] = []
        for one, whole in long:
            count = round(seconds * one.fps)
            for first in _starts(one, count):
                lips = one.opening[first : first + count]
                for shift in BESIDE:
                    if abs(whole.offset + shift) > LONGEST_LAG - 0.04:
                        continue
                    at = 2 * first - round(shift * 2 * one.fps)
                    sync = measure_sync(mels[one.clip][at : at + 2 * count], lips, one.fps)
                    own.append((sync.offset - whole.offset - shift, sync))
                others = _others(one, recorded, mels, 2 * count, rng)
                foreign += [measure_sync(sound, lips, one.fps) for sound in others]
        sure = np.array([error for error, sync in own if sync.is_reliable])
        print(
            f"| {seconds} s | {len(own)} | {_shares([sync for _, sync in own])} |"
            f" {_errors(sure)} | {len(foreign)} | {_shares(foreign)} |"
        )


def _starts(one: Recorded, count: int) -> list[int]:
    margin = round(max(BESIDE) * one.fps) + 1
    found = list(range(margin, len(one.opening) - count - margin, count))
    return found[:: -(-len(found) // MOST)] if found else []


def _others(
    one: Recorded,
    recorded: list[Recorded],
    mels: dict[str, NDArray[np.float32]],
    steps: int,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.float32]]:
    free = [
        mels[other.clip]
        for other in recorded
        if other.person != one.person and len(mels[other.clip]) > steps
    ]
    for _ in range(OTHERS if free else 0):
        mel = free[int(rng.integers(len(free)))]
        first = int(rng.integers(len(mel) - steps))
        yield mel[first : first + steps]


def _shares(estimates: list[Sync]) -> str:
    statuses = Counter(_status(sync) for sync in estimates)
    return " | ".join(
        f"{statuses[s] / max(len(estimates), 1):.1%}" for s in ("ok", "assumed", "rejected")
    )


if __name__ == "__main__":
    main()
