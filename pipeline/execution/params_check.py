"""All of params.yaml checked at once: before the first stage, not when the last one starts."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pipeline.execution.renamed_params import renames_in
from pipeline.runtime.user_errors import BadParams, report_user_errors
from stages.base.config import params
from stages.base.config.params import PARAMS, Section

# Section: the model that its stage reads it with.
SECTIONS = {
    "subjects": "stages.base.config.params:Subjects",
    "sample": "stages.sample.params:SampleParams",
    "clips": "stages.clips.params:ClipsParams",
    "landmarks": "stages.landmarks.params:LandmarksParams",
    "parsing": "stages.parsing.params:ParsingParams",
    "speech": "stages.speech.params:SpeechParams",
    "train_audio": "stages.speech.params:AudioParams",
    "references": "stages.references.params:ReferenceParams",
    "match": "stages.references.params:MatchParams",
    "motion": "stages.motion.params:MotionParams",
    "style_mapping": "stages.style_mapping.params:StyleMappingParams",
    "render": "stages.render.params:RenderParams",
    "training": "stages.base.config.params:Training",
    "region_weights": "stages.generator.params:RegionWeights",
    "evaluation": "stages.evaluation.params:EvaluationParams",
    "generator": "stages.generator.params:GeneratorParams",
    "style_generator": "stages.generator.params:StyleGeneratorParams",
}
_NUMBERS = {"lambda_sp"}


def check_params(content: Mapping[str, Any] | None = None) -> None:
    """Read every section, and load the perceptual networks that trainings will ask for.

    Args:
        content: sections by name; those of params.yaml unless given.

    Raises:
        BadParams: a section is missing, unknown, or holds what its stage would refuse; or a key
            has another name now.
        BadWeights: a perceptual network or its weights are not there.
    """
    from stages.base.training.perceptual import load_perceptual
    from stages.generator.params import GeneratorParams, check_lambda
    from stages.style_mapping.params import StyleMappingParams

    content = params.read_params() if content is None else content
    for name in content:
        if name not in SECTIONS and name not in _NUMBERS:
            known = ", ".join([*SECTIONS, *_NUMBERS])
            raise BadParams(f"{PARAMS}: {name}", "no stage reads this section", f"known: {known}")
    check_lambda(content.get("lambda_sp"))
    for name, place in SECTIONS.items():
        module, _, model = place.partition(":")
        found = _read_section(name, content, getattr(import_module(module), model))
        if isinstance(found, StyleMappingParams) and found.weights.perceptual:
            load_perceptual(found.perceptual, found.taps)
        if isinstance(found, GeneratorParams) and found.compares:
            load_perceptual(found.perceptual.network, found.perceptual.taps)


def _read_section(name: str, content: Mapping[str, Any], model: type[Section]) -> Section:
    """Read a section; raise BadParams with both names where a key has another name now."""
    try:
        return params.parse_section(name, content, model)
    except BadParams:
        if renames := renames_in({name: content.get(name)}):
            raise BadParams("renamed", f"{', '.join(renames)} in {PARAMS}") from None
        raise


if __name__ == "__main__":
    with report_user_errors():
        check_params()
