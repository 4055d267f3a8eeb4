"""Measure how well the generator draws held-out frames from true landmarks.

    python bench/generator_quality.py --data data --subjects newscaster --set steps=1500
    python bench/generator_quality.py --model models/generator.safetensors --subjects sample_calm

Without --model it first trains the base on the subjects' training spans, in a temporary folder.
Params come from params.yaml, single ones from --set, e.g. --set learning_rate=5e-4 losses.l1=50.
Prints PSNR of the face crop (landmark box enlarged by a fifth on each side) and of the whole
frame, mean over frames, beside trivial baselines.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch

from stages.base.config.params import Training, read_section, seen_subjects
from stages.base.config.subjects import Subject
from stages.base.io.image_io import encode_png
from stages.base.training.loop import cosine, train
from stages.evaluation import metrics
from stages.evaluation.baselines import align
from stages.generator import model
from stages.generator.conditioning import images_to_tensor, tensor_to_images
from stages.generator.drawing import Generator
from stages.generator.driving import Driving
from stages.generator.footage import Footage, read_footage
from stages.generator.isps import Isps, read_isps
from stages.generator.network import sample
from stages.generator.params import GeneratorParams
from stages.generator.source_images import Source, choose_sources, held_out_sources
from stages.generator.task import GeneratorTask


def main() -> None:
    args = _arguments()
    params = _changed(read_section("generator", GeneratorParams), args.set)
    subjects = [Subject("seen", name) for name in args.subjects or seen_subjects()]
    training = read_footage(subjects, params.size, data=args.data)
    isps = [_isps(f, args.data) for f in training]
    generator = (
        Generator.load(params.size, args.model)
        if args.model
        else _train(params, training, isps, args.threads)
    )
    held = read_footage(subjects, params.size, held_out=True, data=args.data)
    for before, now, styles in zip(training, held, isps, strict=True):
        _report(generator, before, now, styles, args)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    parser.add_argument("--subjects", nargs="+", help="default: all seen subjects of params.yaml")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--set", nargs="*", default=[])
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sheet", type=Path)
    return parser.parse_args()


def _changed(params: GeneratorParams, changes: list[str]) -> GeneratorParams:
    from ruamel.yaml import YAML

    content = params.model_dump()
    for change in changes:
        name, _, value = change.partition("=")
        *parents, last = name.split(".")
        place = content
        for parent in parents:
            place = place[parent]
        place[last] = YAML(typ="safe").load(value)
    return GeneratorParams.model_validate(content)


def _isps(footage: Footage, data: Path) -> Isps:
    """Read the ISPs; use training frames instead where there are none."""
    if (data / "isp" / str(footage.subject) / "isps.parquet").is_file():
        return read_isps(footage.subject.name, footage.size, data / "isp")
    rows = np.linspace(0, len(footage) - 1, 32).astype(int)
    return Isps(
        images=np.stack([footage.image(int(row)) for row in rows]),
        template=np.arange(32) % 4,
        chosen=np.arange(32) < 4,
        clip=np.array([footage.clips[footage.clip[row]].id for row in rows], object),
        frame=footage.frame[rows].astype(np.int64),
    )


def _train(
    params: GeneratorParams, footage: list[Footage], isps: list[Isps], threads: int
) -> Generator:
    sources = [choose_sources(f) for f in footage]
    task = GeneratorTask(
        params,
        footage,
        sources,
        isps,
        steps=params.steps,
        rates=(params.learning_rate, params.discriminator.learning_rate),
        seed=1,
    )
    home = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        footage_paths(footage, home)
        os.chdir(folder)
        began = time.monotonic()
        weights = train(
            task,
            name="bench",
            steps=params.steps,
            training=Training(seed=1, precision="fp32", threads=threads),
            inputs={},
            ema=params.ema,
            clip=params.clip,
            schedule=cosine(params.steps, min(params.warmup, params.steps // 4), floor=0.01),
        )
        seconds = time.monotonic() - began
        print(f"{params.steps} steps in {seconds:.0f} s, {seconds / params.steps:.3f} s a step")
        names = [f.subject.name for f in footage]
        path = Path("model.safetensors")
        amplitudes = {f.subject.name: f.amplitudes for f in footage}
        model.save(path, weights, dict(zip(names, sources, strict=True)), amplitudes, params)
        generator = Generator.load(params.size, path)
        os.chdir(home)
    return generator


def footage_paths(footage: list[Footage], home: Path) -> None:
    """Make the readers' paths absolute, since the training runs in another folder."""
    for person in footage:
        for reader in person.readers:
            reader.path = home / reader.path


def _report(
    generator: Generator,
    before: Footage,
    now: Footage,
    isps: Isps,
    args: argparse.Namespace,
) -> None:
    name, sheet = now.subject.name, args.sheet
    found = held_out_sources(now.subject, generator.sources[name], generator.size, args.data)
    given = {(source.clip, source.frame) for source in found.values()}
    ids = [now.clips[clip].id for clip in now.clip]
    rows = np.array([i for i in range(len(now)) if (ids[i], int(now.frame[i])) not in given])
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, args.frames).astype(int))]
    sources = [found[ids[row]] for row in rows]
    truth = np.stack([now.image(int(row)) for row in rows])
    scale = now.clips[0].size / generator.size
    driving = now.driving.scaled(scale)

    def draw(isps: np.ndarray) -> np.ndarray:
        frames: list[np.ndarray] = []
        for row, source in zip(rows, sources, strict=True):
            columns = {name: values[row : row + 1] for name, values in vars(driving).items()}
            frames += generator.frames(source, Driving.from_columns(columns), isps)
        return np.stack(frames)

    began = time.monotonic()
    drawn = draw(isps.chosen_images())
    each = (time.monotonic() - began) / len(rows)
    black = np.zeros_like(isps.chosen_images())
    training = np.stack([before.image(i) for i in range(len(before))])
    points = now.driving.points[rows]
    apart = np.linalg.norm(before.driving.points[None] - points[:, None], axis=-1).mean(-1)
    nearest = apart.argmin(1)
    warped = _warped(sources, now, rows)
    methods = {
        "generator": drawn,
        "generator, no ISPs": draw(black),
        "mean frame": np.repeat(training.mean(0)[None], len(rows), axis=0),
        "nearest": training[nearest],
        "nearest, aligned": np.stack(
            [
                align(training[n], before.driving.points[n], p)
                for n, p in zip(nearest, points, strict=True)
            ]
        ),
        "source": np.stack([source.small for source in sources]),
        "source, aligned": np.stack(
            [align(s.small, s.points, p) for s, p in zip(sources, points, strict=True)]
        ),
        "source, warped": warped,
    }
    print(f"{name}: {len(rows)} held-out frames, {each * 1000:.0f} ms a frame drawn")
    boxes = [metrics.face_box(p, generator.size) for p in points]
    for method, images in methods.items():
        scores = [metrics.psnr(a, b) for a, b in zip(images, truth, strict=True)]
        crops = [
            metrics.psnr(metrics.crop(a, box), metrics.crop(b, box))
            for a, b, box in zip(images, truth, boxes, strict=True)
        ]
        print(f"  {method:20s} face {np.mean(crops):6.2f} dB   whole {np.mean(scores):6.2f} dB")
    if sheet is not None:
        some = np.linspace(0, len(rows) - 1, 8).astype(int)
        lines = [truth, drawn, warped, methods["nearest, aligned"]]
        picture = np.concatenate([np.concatenate(list(line[some]), axis=1) for line in lines])
        big = cv2.resize(picture, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        sheet.with_name(f"{sheet.stem}_{name}.png").write_bytes(encode_png(big))


def _warped(sources: list[Source], footage: Footage, rows: np.ndarray) -> np.ndarray:
    """Warp the sources to the landmarks alone, without the network."""
    driving = footage.driving
    places = [
        source.warp_grid(driving.points[row], driving.shoulders[row])
        for source, row in zip(sources, rows, strict=True)
    ]
    images = images_to_tensor([source.small for source in sources])
    return tensor_to_images(sample(images, torch.from_numpy(np.stack(places))))


if __name__ == "__main__":
    main()
