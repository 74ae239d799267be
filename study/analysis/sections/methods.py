"""How it was analysed: the plan in words, as the methods of a paper say it, with its references.

Every sentence follows from a key of the plan or of the protocol, so another plan has other sentences; what is cited is
what the sentences cite, and nothing else.
"""

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Protocol as Shape

from study.analysis.compare import COVARIANCES
from study.analysis.data import AnalysisData, ScaleInfo
from study.analysis.results import Column, Section, Table
from study.analysis.sections._references import REFERENCES, cite
from study.eligibility import intervals
from study.grammar import Analysis, Outcome
from study.protocol import DISTRESS, Protocol
from study.report.numbers import words

__all__ = ["Planned", "in_words", "plan_in_words", "section"]

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")

_MEDIA = {"robot": "a robot", "chat": "a text chat", "worksheet": "a worksheet"}

_PARTS = {
    "mean": "by the mean over all study days",
    "last": "on the last study day",
    "trend": "by the change for each further study day",
}


class Planned(Shape):
    """What the sentences about the plan follow from: the data of an analysis, or a plan that has no data yet."""

    @property
    def plan(self) -> Analysis: ...
    @property
    def scales(self) -> Mapping[str, ScaleInfo]: ...


def plan_in_words(planned: Planned) -> list[str]:
    """The plan without data: a paragraph for each of estimand, models, multiplicity, missing values and tests."""
    return [" ".join(part(planned)) for part in (_estimand, _models, _multiplicity, _missing, _further)]


def section(data: AnalysisData) -> Section:
    """The methods, a paragraph for each of design, estimand, models, multiplicity, missing values and further tests."""
    paragraphs = tuple(
        " ".join(part(data)) for part in (_design, _estimand, _models, _multiplicity, _missing, _further, _tools)
    )
    text = " ".join(paragraphs)
    cited = sorted((pair for pair in REFERENCES.values() if pair[0] in text), key=lambda pair: pair[1])
    references = Table(
        "references",
        "References",
        (Column("cited", "Cited as"), Column("reference", "Reference")),
        tuple(cited),
    )
    return Section("methods", "Methods", paragraphs, (references,))


def in_words(data: Planned, outcome: Outcome) -> str:
    """An outcome as a noun: change of K10 from screening to day 15."""
    info = data.scales.get(outcome.measure)
    title = outcome.measure if info is None or info.measure == DISTRESS else info.title
    where = {"before": "before each visit", "after": "after each visit"}.get(outcome.when, f"at {outcome.when}")
    if outcome.change_from is None:
        return f"{title} {where}"
    return f"change of {title} from {outcome.change_from} to {where.removeprefix('at ')}"


def _design(data: AnalysisData) -> Iterator[str]:
    protocol = data.protocol
    names = words(data.arms)
    arms = names if data.blinded else words([f"{arm} ({_MEDIA[data.media[arm]]})" for arm in data.arms])
    masked = ", whose names are masked here," if data.blinded else ""
    yield (
        f"{protocol.title} is a randomised study with {_number(len(data.arms))} parallel arms, {arms}{masked} of "
        f"{protocol.days} study {_plural('day', protocol.days)} with one visit a day."
    )
    ratios = [arm.ratio for arm in protocol.arms]
    equal = len(set(ratios)) == 1
    ratio = "" if data.blinded and not equal else f" in the ratio {':'.join(map(str, ratios))}"
    yield f"Participants were allocated{ratio} {_procedure(protocol)}."
    if protocol.registration:
        yield f"Registration: {protocol.registration.rstrip('.')}."
    yield f"The report follows {cite('consort2025').strip('()')}."


def _procedure(protocol: Protocol) -> str:
    allocation = protocol.allocation
    factors = words(
        [
            f"{factor.name} ({', '.join(intervals(factor.cuts))})" if factor.cuts else factor.name
            for factor in allocation.strata
        ]
    )
    within = f" within strata of {factors}" if factors else ""
    match allocation.method:
        case "blocks":
            sizes = words([str(size) for size in allocation.block_sizes])
            return f"by permuted blocks of {sizes}{within}"
        case "list":
            return f"by a sealed list that was made beforehand{within}"
        case _:
            return (
                f"by minimisation {cite('pocock1975')} over {factors}, in which the arm that balances best was "
                f"taken with probability {allocation.chance:g}"
            )


def _estimand(data: Planned) -> Iterator[str]:
    estimand = data.plan.estimand
    yield f"The estimand of the primary outcome was fixed in its five attributes {cite('ich2019')}."
    for name, text in (
        ("Population", estimand.population),
        ("treatment", estimand.treatment),
        ("variable", estimand.variable),
        ("intercurrent events", estimand.intercurrent_events),
        ("summary", estimand.summary),
    ):
        yield f"{name[0].upper()}{name[1:]}: {text.rstrip('.')}."


def _models(data: Planned) -> Iterator[str]:
    plan = data.plan
    adjusted = words(["the baseline value where there is one", *plan.covariates])
    yield f"The primary outcome is {in_words(data, plan.primary)}."
    if plan.primary.is_daily:
        yield _daily_model(data, adjusted)
    else:
        yield f"It was analysed by ordinary least squares, adjusted for {adjusted} (ANCOVA)."
    if _uses_mixed(data):
        if plan.df == "kenward-roger":
            yield f"Standard errors and degrees of freedom are those of {cite('kenward1997').strip('()')}."
        else:
            yield f"Degrees of freedom are those of {cite('satterthwaite1946').strip('()')}."
    yield f"A missing baseline was put at the mean of all participants {cite('white2005')}."
    if plan.secondary:
        yield f"Secondary outcomes are {words([in_words(data, outcome) for outcome in plan.secondary])}."
        once = [outcome for outcome in plan.secondary if not outcome.is_daily]
        daily = [outcome for outcome in plan.secondary if outcome.is_daily]
        if daily and plan.primary.is_daily:
            yield "Those of every visit were analysed as the primary outcome was."
        elif daily:
            yield _daily_model(data, adjusted).replace("It was", "Those of every visit were", 1)
        if once:
            others = "The others" if daily else "They"
            yield f"{others} were analysed by ordinary least squares, adjusted for {adjusted} (ANCOVA)."


def _daily_model(data: Planned, adjusted: str) -> str:
    plan = data.plan
    compared = f"The arms were compared {_PARTS[plan.estimate]}"
    match plan.model:
        case "ancova":
            return f"It was analysed at the last study day by ordinary least squares, adjusted for {adjusted} (ANCOVA)."
        case "mmrm":
            first, *others = [COVARIANCES[name] for name in plan.covariance]
            or_else = f"; should it not converge, {words(others, 'then')}" if others else ""
            return (
                "It was analysed by a model for repeated measures, fitted by restricted maximum likelihood, with arm, "
                f"study day as a factor and their interaction, adjusted for {adjusted}; the covariance within "
                f"participants was {first}{or_else}. {compared}."
            )
        case _:
            day = "study day as a line" if plan.day == "linear" else "study day as a factor"
            random = "intercept"
            fallback = ""
            if plan.random == "slope":
                random = "intercept and a random slope over days"
                fallback = " (an intercept alone, should that not converge)"
            return (
                "It was analysed by a linear mixed model, fitted by restricted maximum likelihood, with arm, "
                f"{day} and their interaction, adjusted for {adjusted}, and with a random {random} for each "
                f"participant{fallback}. {compared}."
            )


def _multiplicity(data: Planned) -> Iterator[str]:
    plan = data.plan
    pairs = words([f"{one} with {other}" for one, other in plan.contrasts]) or "every pair of arms"
    yield f"The contrasts planned are {pairs}."
    if plan.multiplicity == "holm":
        family = (
            "those of each outcome are a family"
            if plan.families == "outcome"
            else "those of the primary outcome are one family, those of all secondary outcomes together another"
        )
        yield f"P values of contrasts were adjusted within families {cite('holm1979')}: {family}."
    else:
        yield "P values were not adjusted for multiplicity."
    yield f"Tests are two-sided at the level {plan.alpha:g}; intervals are not adjusted for multiplicity."
    yield (
        "Tests within an arm are shown for comparison with earlier reports only. That one arm changes significantly "
        f"and another does not is no difference between them {cite('gelman2006')}; only contrasts between arms answer "
        "the question."
    )


def _missing(data: Planned) -> Iterator[str]:
    plan = data.plan
    yield "Everybody was analysed in the arm to which they were allocated (intention to treat)."
    reference = plan.reference or (plan.contrasts[0][1] if plan.contrasts else "the reference arm")
    imputed = f"{plan.imputations} times, and the results were combined by the rules of {cite('rubin1987').strip('()')}"
    match plan.missing:
        case "mar":
            yield "The main analysis uses all values that were observed, and takes the others to be missing at random."
            yield (
                f"In sensitivity analyses missing values were imputed {imputed}: at random, and as if whoever left had "
                f"gone on as {reference} does (jump to reference, copy reference; {cite('carpenter2013')[1:-1]})."
            )
        case other:
            yield (
                f"In the main analysis missing values were imputed under {other.replace('_', ' ')}, as if whoever left "
                f"had gone on as {reference} does {cite('carpenter2013')}, {imputed}."
            )
    deltas = (
        f"of {words([f'{delta:g}' for delta in plan.deltas])} points"
        if plan.deltas
        else "of tenths of the outcome's standard deviation, up to twice the standard deviation"
    )
    yield (
        f"Imputed values were then made worse by steps {deltas}, to find the point at which the conclusion tips. The "
        "same analysis is shown per protocol, of those who made at least "
        f"{plan.per_protocol:.0%} of their visits, without those in which a person wrote in the model's place."
    )


def _further(data: Planned) -> Iterator[str]:
    plan = data.plan
    yield (
        f"A randomisation test {cite('rosenberger2019')} ran the study's own allocation procedure "
        f"{plan.randomisations:,} times anew."
    )
    yield f"Adherence is described by Kaplan-Meier curves {cite('kaplan1958')}."


def _tools(data: AnalysisData) -> Iterator[str]:
    yield f"The analysis was made with Bedside {version('bedside')}; what is drawn has the seed {data.plan.seed}."


def _uses_mixed(data: Planned) -> bool:
    outcomes = [data.plan.primary, *data.plan.secondary]
    return data.plan.model != "ancova" and any(outcome.is_daily for outcome in outcomes)


def _number(value: int) -> str:
    return _NUMBERS[value] if value < len(_NUMBERS) else str(value)


def _plural(word: str, count: int) -> str:
    return word if count == 1 else word + "s"
