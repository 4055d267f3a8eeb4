"""Train the generator's base on all seen subjects, with L_G.

    python -m stages train_generator_base     # minutes on a CPU; `idiolect preset tiny`: seconds

Reads clips, landmarks and ISPs; writes models/generator_base.safetensors: the averaged U-Net and
the discriminator, from which phase two continues, and each identity's source images.
Method: section "Style-aware generator" of docs/method.md.
"""

from stages.generator import model
from stages.generator.artifacts import BASE_MODEL
from stages.generator.source_images import choose_sources
from stages.generator.task import GeneratorTask
from stages.generator.training_run import read_inputs, train_phase

STAGE = "train_generator_base"


def main() -> None:
    """Train with L_G and write the base model; raise UserError for a bad input."""
    inputs = read_inputs()
    params = inputs.params
    sources = {footage.subject.name: choose_sources(footage) for footage in inputs.footage}
    task = GeneratorTask(
        params,
        inputs.footage,
        list(sources.values()),
        inputs.isps,
        steps=params.steps,
        rates=(params.learning_rate, params.discriminator.learning_rate),
        seed=inputs.training.seed,
    )
    weights = train_phase(STAGE, task, inputs, params.steps)
    model.save(BASE_MODEL, weights, sources, inputs.amplitudes, params)
