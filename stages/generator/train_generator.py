"""Continue training the generator from its base, with L_G + lambda_sp · L_sp.

    python -m stages train_generator     # a minute on a CPU; `idiolect preset tiny`: seconds

Reads the base model and its inputs, parsing, references and match; writes
models/generator.safetensors and, next to its curves, style_loss.png: frame | best reference |
aligned | W. Last it trains the part for restyled frames, with its own curves in
reports/training/train_generator_restyling. A change of `region_weights` re-runs this phase alone,
not the base.
Method: section "Style-aware generator" of docs/method.md, equation (3).
"""

from typing import Any

from pipeline.runtime import item_store
from pipeline.runtime.user_errors import BadFormat
from stages.base.config.params import read_params, read_section
from stages.generator import model, style_loss_sheet
from stages.generator.artifacts import BASE_MODEL, MODEL, STYLE_LOSS_SHEET
from stages.generator.matched_references import MatchedReferences
from stages.generator.params import RegionWeights, StyleGeneratorParams, check_lambda
from stages.generator.restyle_task import RestyleTask
from stages.generator.task import GeneratorTask, StyleTerm
from stages.generator.training_run import read_inputs, train_phase

STAGE = "train_generator"
RESTYLING = "train_generator_restyling"


def main() -> None:
    """Train with L_G + λ L_sp and write the model; raise UserError for a bad input."""
    phase = read_section("style_generator", StyleGeneratorParams)
    region_weights = read_section("region_weights", RegionWeights)
    factor = check_lambda(read_params().get("lambda_sp"))
    inputs = read_inputs()
    params, names = inputs.params, [subject.name for subject in inputs.subjects]
    tensors, config, sources = model.read(BASE_MODEL)
    if list(sources) != sorted(names):
        raise BadFormat(BASE_MODEL, f"trained on {', '.join(sources)}, not {', '.join(names)}")
    references = [
        MatchedReferences(subject, params.size, phase.alignment, phase.restyle_alignment)
        for subject in inputs.subjects
    ]
    rate = phase.learning_rate
    task = GeneratorTask(
        params,
        inputs.footage,
        [sources[name] for name in names],
        inputs.isps,
        steps=phase.steps,
        rates=(rate, min(rate, params.discriminator.learning_rate)),
        seed=inputs.training.seed,
        style=StyleTerm(references, region_weights.by_code, factor),
    )
    model.load_base_weights(BASE_MODEL, tensors, config, task.modules)
    kinds = ("parsing", "references", "match")
    more: dict[str, Any] = {
        "base": item_store.file_hash(BASE_MODEL),
        "style_generator": phase.model_dump(),
        "region_weights": region_weights.model_dump(),
        "lambda_sp": factor,
    }
    weights = train_phase(STAGE, task, inputs, phase.steps, *kinds, **more)
    restyling = RestyleTask(task, weights["unet"], params.learning_rate)
    weights = train_phase(
        STAGE, restyling, inputs, phase.restyle_steps, *kinds, name=RESTYLING, **more
    )
    model.save(MODEL, weights, sources, inputs.amplitudes, params)
    style_loss_sheet.write_sheet(
        STYLE_LOSS_SHEET, inputs.footage, phase.alignment, region_weights.by_code
    )
