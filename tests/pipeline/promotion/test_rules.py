"""promotion.yaml is checked when it is read."""

import json
from pathlib import Path

import pytest

from pipeline.promotion.rules import read_rules
from pipeline.runtime.user_errors import BadParams
from tests.conftest import REPO
from tests.pipeline.promotion.scored import LMD, LPIPS, PSNR, RULES


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("better: 5", "better"),
        ("better: {metric: sharpness, by: 1}", "known"),
        ("better: {metric: motion.generated.d_v, by: 1}", "no interval"),
        ("not_worse: [{metric: reconstruction.generator.l1_match_mouth, margin: 1}]", "known"),
        (
            "not_worse: [{metric: motion.generated.lmdd, margin: 1}]",
            "similar: motion.generated.lmd",
        ),
        ("not_worse: [{metric: render.frames, margin: 1}]", "neither more nor less"),
        ("not_worse: [{metric: motion.generated.lmd, margin: -1}]", "margin"),
        ("missing: promote", "missing"),
        ("seconds: 1", "seconds"),
        ("then: 1", "then"),
    ],
)
def test_a_mistake_in_the_rules_is_one_line(workdir: Path, text: str, message: str) -> None:
    rules = RULES.model_dump()
    key = text.partition(":")[0]
    kept = [f"{name}: {json.dumps(rule)}" for name, rule in rules.items() if name != key]
    (workdir / "promotion.yaml").write_text("\n".join([*kept, text]))
    with pytest.raises(BadParams, match=message) as caught:
        read_rules()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["better", "not_worse"])
def test_the_rules_of_the_repository_are_valid_and_name_a_metric_once(
    workdir: Path, key: str
) -> None:
    judged = {rule.metric for rule in read_rules(REPO / "promotion.yaml").not_worse}
    assert judged == {PSNR, LPIPS, LMD, "closures.generated.recall", "style.sld"}
    head, _, rest = (REPO / "promotion.yaml").read_text().partition(f"{key}:\n")
    line = rest.splitlines()[0]
    (workdir / "promotion.yaml").write_text(f"{head}{key}:\n{line}\n{rest}")
    with pytest.raises(BadParams, match=f"{key}: .* appears twice"):
        read_rules()
