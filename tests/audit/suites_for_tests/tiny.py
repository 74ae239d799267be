"""A suite for tests of the machinery: does a reply ask something?"""

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageUser, GenerateConfig
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState, generate

from audit.identity import provenance
from audit.personas import with_persona
from audit.suite import Baseline, Estimate, Suite


@scorer(metrics={"*": [mean()]})
def asks() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        said = state.output.completion
        return Score(value={"asks": float("?" in said), "words": len(said.split())}, answer=said)

    return score


@task
def tiny(persona: str = "neutral", half: str = "both", limit_items: int | None = None) -> Task:
    items = [(f"loss.{number}", number % 2 == 1) for number in range(24)]
    chosen = [one for one in items if half == "both" or one[1] == (half == "held_out")][:limit_items]
    return Task(
        dataset=[
            Sample(
                id=item,
                input=[ChatMessageUser(content=f"I lost my keys {item.split('.')[1]} times and I am sad.")],
                target="",
                metadata={"item": item, "held_out": held_out, "feeling": "sad"},
            )
            for item, held_out in chosen
        ],
        solver=[with_persona(persona), generate()],
        scorer=asks(),
        config=GenerateConfig(max_tokens=8),
        version=SUITE.version,
        metadata=provenance(SUITE, persona),
    )


def _estimates(rows, seed):
    share = float(rows["asks"].mean())
    return [Estimate("asks", "Asks something", share, None, float("nan"), len(rows), headline=True)]


SUITE = Suite(
    "tiny",
    "Tiny",
    "Whether a reply asks something.",
    "1",
    tiny,
    _estimates,
    (Baseline("constant", lambda said, seed: "I see.", "asks", 0.0),),
    (),
    samples=lambda: 24,
)
