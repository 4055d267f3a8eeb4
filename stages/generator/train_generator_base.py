"""Phase one of the generator: L_G, from scratch, on all seen subjects.

    python -m stages train_generator_base

Reads clips, landmarks and ISPs; writes models/generator_base.safetensors: the averaged U-Net and
the discriminator, which phase two goes on from, and each identity's source images.
Method: section "Style-aware generator" of docs/method.md.
"""

from pathlib import Path

BASE = Path("models/generator_base.safetensors")
STAGE = "train_generator_base"


def run() -> None:
    """Train with L_G and write the base model; raise UserError where an input is off."""
    from stages.base.training.loop import train
    from stages.generator import model, training_run
    from stages.generator.sources import sources_of
    from stages.generator.task import GeneratorTask

    inputs = training_run.read_inputs()
    params = inputs.params
    sources = [sources_of(footage) for footage in inputs.footage]
    task = GeneratorTask(
        params,
        inputs.footage,
        sources,
        inputs.patterns,
        steps=params.steps,
        rates=(params.learning_rate, params.discriminator.learning_rate),
        seed=inputs.training.seed,
    )
    weights = train(
        task,
        name=STAGE,
        steps=params.steps,
        training=inputs.training,
        inputs=training_run.fingerprint(inputs, STAGE),
        ema=params.ema,
        clip=params.clip,
        schedule=training_run.schedule(params.steps, params.warmup),
    )
    names = [subject.name for subject in inputs.subjects]
    model.save(BASE, weights, dict(zip(names, sources, strict=True)), params)


def main() -> None:
    """Train as params.yaml says."""
    run()
