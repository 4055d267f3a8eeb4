"""Phase two of the generator: goes on from the base with L_G + lambda_sp · L_sp.

    python -m stages train_generator

Reads the base, what it read, parsing, references and match; writes models/generator.safetensors
and, beside its curves, style_loss.png: frame | best reference | aligned | W.
A change of `region_weights` costs this phase alone. Method: section "Style-aware generator" of
docs/method.md, equation (3).
"""

from pathlib import Path

from pipeline.runtime.user_errors import BadFormat

BASE = Path("models/generator_base.safetensors")
MODEL = Path("models/generator.safetensors")
STAGE = "train_generator"
REPORT = Path("reports/training") / STAGE


def run() -> None:
    """Train with L_G + λ L_sp and write the model; raise UserError where an input is off."""
    from pipeline.runtime import item_store
    from stages.base.config.params import read_section
    from stages.base.training.loop import train
    from stages.generator import model, style_sheet, training_run
    from stages.generator.params import RegionWeights, StyleGeneratorParams, read_lambda
    from stages.generator.references import Matches
    from stages.generator.style_loss import weight_vector
    from stages.generator.task import GeneratorTask, StyleTerm

    phase = read_section("style_generator", StyleGeneratorParams)
    weights = read_section("region_weights", RegionWeights)
    vector, factor = weight_vector(weights.model_dump()), read_lambda()
    inputs = training_run.read_inputs()
    params = inputs.params
    tensors, config, sources = model.read(BASE)
    names = [subject.name for subject in inputs.subjects]
    if list(sources) != sorted(names):
        raise BadFormat(BASE, f"trained on {', '.join(sources)}, not {', '.join(names)}")
    matches = [
        Matches(subject, params.size, phase.alignment, training_run.DATA)
        for subject in inputs.subjects
    ]
    task = GeneratorTask(
        params,
        inputs.footage,
        [sources[name] for name in names],
        inputs.patterns,
        steps=phase.steps,
        rates=(phase.learning_rate, min(phase.learning_rate, params.discriminator.learning_rate)),
        seed=inputs.training.seed,
        style=StyleTerm(matches, vector, factor),
    )
    model.continue_from(BASE, tensors, config, task.modules)
    trained = train(
        task,
        name=STAGE,
        steps=phase.steps,
        training=inputs.training,
        inputs=training_run.fingerprint(
            inputs,
            STAGE,
            "parsing",
            "references",
            "match",
            base=item_store.file_hash(BASE),
            style_generator=phase.model_dump(),
            region_weights=weights.model_dump(),
            lambda_sp=factor,
        ),
        ema=params.ema,
        clip=params.clip,
        schedule=training_run.schedule(phase.steps, params.warmup),
    )
    model.save(MODEL, {"unet": trained["unet"]}, sources, params)
    sheet = REPORT / "style_loss.png"
    style_sheet.draw(sheet, inputs.footage, phase.alignment, vector, training_run.DATA)


def main() -> None:
    """Train as params.yaml says."""
    run()
