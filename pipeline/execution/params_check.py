"""Check all of params.yaml before the first stage starts."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from pipeline.runtime import item_store
from pipeline.runtime.atomic_files import write_atomic
from pipeline.runtime.user_errors import BadParams, UserError
from stages.base.config import code_version, params
from stages.base.config.params import PARAMS, Section
from stages.base.training import pretrained

CHECKED = Path(".idiolect/params.checked")

# Section: the model that validates it.
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
    "isp": "stages.style_mapping.params:IspParams",
    "motion": "stages.motion.params:MotionParams",
    "transfers": "stages.transfer.params:Transfers",
    "transfer": "stages.transfer.params:TransferParams",
    "style_mapping": "stages.style_mapping.params:StyleMappingParams",
    "donors": "stages.donors.params:DonorParams",
    "render": "stages.render.params:RenderParams",
    "portrait": "stages.portrait.params:PortraitParams",
    "training": "stages.base.config.params:Training",
    "region_weights": "stages.generator.params:RegionWeights",
    "evaluation": "stages.evaluation.params:EvaluationParams",
    "generator": "stages.generator.params:GeneratorParams",
    "style_generator": "stages.generator.params:StyleGeneratorParams",
}
_NUMBERS = {"lambda_sp"}
# Keys of an earlier version, as its champions still have them: the present names.
RENAMED = {
    "motion.mouth.rate": "motion.mouth.learning_rate",
    "motion.pose.rate": "motion.pose.learning_rate",
    "style_mapping.rate": "style_mapping.learning_rate",
    "generator.lr": "generator.learning_rate",
    "generator.discriminator.lr": "generator.discriminator.learning_rate",
    "style_generator.lr": "style_generator.learning_rate",
}
# Keys that moved to another section.
MOVED = {
    **{
        f"style_mapping.network.{name}": f"style_mapping.learned.{name}"
        for name in (
            *("keypoints", "heat_input", "heat_plane", "heat_channels", "pose_channels"),
            *("pose_blocks", "near_channels", "near_grid", "near_reach"),
        )
    },
    **{
        f"style_mapping.weights.{name}": f"style_mapping.learned.weights.{name}"
        for name in (
            *("equivariance", "keypoint_prior", "head_pose"),
            *("expression", "landmarks", "shape"),
        )
    },
    **{
        f"style_mapping.{name}": f"style_mapping.learned.{name}"
        for name in ("keypoint_distance", "keypoint_depth", "placing", "placing_batch")
    },
}


def check_params(content: Mapping[str, Any] | None = None) -> None:
    """Read every section, and fetch the pre-trained networks that stages need.

    Args:
        content: sections by name; those of params.yaml unless given.

    Raises:
        BadParams: a section is missing, unknown, or invalid for its stage; or a key was renamed.
        BadWeights: the weights of a pre-trained network are missing.
    """
    from stages.base.training import pretrained
    from stages.evaluation.params import JUDGES
    from stages.generator.params import check_lambda
    from stages.transfer.params import Transfers

    content = params.read_params() if content is None else content
    for judge in JUDGES:  # evaluate needs them after all trainings
        pretrained.path(judge)
    for name in content:
        if name not in SECTIONS and name not in _NUMBERS:
            known = ", ".join([*SECTIONS, *_NUMBERS])
            raise BadParams(f"{PARAMS}: {name}", "no stage reads this section", f"known: {known}")
    check_lambda(content.get("lambda_sp"))
    for name, place in SECTIONS.items():
        module, _, model = place.partition(":")
        found = _read_section(name, content, getattr(import_module(module), model))
        if isinstance(found, Transfers):
            found.check_subjects(params.parse_section("subjects", content, params.Subjects))
        _load_networks(found)


def _load_networks(found: Section) -> None:
    """Load the pre-trained networks that a section names; raise BadWeights if one is missing."""
    from stages.base.training import pretrained
    from stages.base.training.arcface import load_descriptor
    from stages.base.training.inception import load_inception
    from stages.base.training.perceptual import load_perceptual
    from stages.evaluation.params import EvaluationParams
    from stages.generator.params import GeneratorParams
    from stages.speech.params import SpeechParams
    from stages.style_mapping.params import StyleMappingParams

    if isinstance(found, StyleMappingParams) and found.weights.perceptual:
        load_perceptual(found.perceptual, found.taps)
    if isinstance(found, SpeechParams) and found.encoder:
        pretrained.path(found.encoder)
    if isinstance(found, GeneratorParams) and found.needs_perceptual_network:
        load_perceptual(found.perceptual.network, found.perceptual.taps)
    if isinstance(found, EvaluationParams) and found.arcface:
        load_descriptor(found.arcface)
    if isinstance(found, EvaluationParams) and found.inception:
        load_inception(found.inception)


def _read_section(name: str, content: Mapping[str, Any], model: type[Section]) -> Section:
    """Read a section; raise BadParams with both names if a key was renamed."""
    try:
        return params.parse_section(name, content, model)
    except BadParams:
        if renames := renames_in({name: content.get(name)}):
            raise BadParams("renamed", f"{', '.join(renames)} in {PARAMS}") from None
        raise


def check_lists() -> None:
    """Check the keys by which dvc.yaml lists its stages, of which DVC's own error says less.

    Raises:
        BadParams: params.yaml cannot be read, or lacks one of them.
    """
    content = params.read_params()
    for stage in params.read_params(Path("dvc.yaml")).get("stages", {}).values():
        key = str(stage.get("foreach", "")).removeprefix("${").removesuffix("}")
        if key and _parent(content, key) is None:
            todo = "`idiolect preset laptop` adds it and keeps the subjects"
            raise BadParams(f"{PARAMS}: {key}", "missing, and dvc.yaml lists stages by it", todo)


def check_if_changed() -> None:
    """Check params.yaml, which loads torch, unless nothing has changed since the last check.

    Raises:
        UserError: as `check_params`.
    """
    files = [item_store.file_hash(p) for p in (PARAMS, code_version.VERSIONS) if p.is_file()]
    weights = sorted(path.name for path in pretrained.folder().glob("[!.]*"))
    key = item_store.key(files=files, weights=weights)
    if CHECKED.is_file() and CHECKED.read_text() == key:
        return
    try:
        check_params()
    except UserError as error:
        raise UserError(PARAMS, str(error).removeprefix(f"{PARAMS}: ")) from None
    write_atomic(CHECKED, key)


def renames_in(params: Mapping[str, Any]) -> list[str]:
    """Return `OLD → NEW` for each old key that params still have."""
    renames = RENAMED | MOVED
    return [f"{old} → {new}" for old, new in renames.items() if _parent(params, old) is not None]


def move_keys(params: Any) -> None:
    """Move the keys of MOVED to their present sections, in place."""
    for old, new in MOVED.items():
        if (parent := _parent(params, old)) is None:
            continue
        target = params
        *sections, last = new.split(".")
        for section in sections:
            target = target.setdefault(section, {})
        target[last] = parent.pop(old.rpartition(".")[2])
        params["style_mapping"]["keypoints"] = "learned"


def with_new_names(text: str) -> str:
    """Return the text of a params.yaml with the new names and no other change."""
    from ruamel.yaml import YAML

    params = YAML().load(text)
    lines = text.splitlines(keepends=True)
    places = []
    for old, new in RENAMED.items():
        if (parent := _parent(params, old)) is not None:
            key, new_key = old.rpartition(".")[2], new.rpartition(".")[2]
            places.append((*parent.lc.key(key), key, new_key))
    for row, column, key, new_key in sorted(places, reverse=True):
        line = lines[row]
        lines[row] = line[:column] + line[column:].replace(key, new_key, 1)
    return "".join(lines)


def _parent(params: Any, key: str) -> Any:
    """Return the mapping that holds a dotted key; None where params do not have it."""
    *sections, last = key.split(".")
    for section in sections:
        params = params.get(section) if isinstance(params, Mapping) else None
    return params if isinstance(params, Mapping) and last in params else None
