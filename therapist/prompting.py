"""Building the prompt of one answer. Pure.

What is the same at every turn of a visit comes first and stays the same to the letter, so that an engine which keeps
its key/value cache reads only the end anew. What belongs to this one answer comes last.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from therapist._datafiles import SOURCE, translated
from therapist.engine import Form, Prompt, Utterance
from therapist.exercise import Exercise, Step
from therapist.moments import moment_of
from therapist.persona import Acts, Persona
from therapist.transcript import RecordedTurn

__all__ = ["build_prompt", "opening_prompt", "prompt_so_far"]


def build_prompt(
    exercise: Exercise,
    persona: Persona,
    turns: Sequence[RecordedTurn],
    step: Step,
    form: Form,
    *,
    printed: bool,
    bare: bool = False,
) -> Prompt:
    """The prompt for the answer to the last of `turns`, which is the participant's.

    `printed` says that the questions stood on paper: they are no turns, and each is put before its answer.

    `bare` is for a model too small to follow an instruction: it sees the examples and, as one more of them, the
    participant's last words. History and guidance lead it astray: with both, the rails refused five in six of its
    answers to invented students; so, one in four. A persona's acts are guidance, so it does not see them either.
    """
    begin = step.begin if form == "statement" else ""
    if bare:
        last = Utterance("participant", turns[-1].text)
        return replace(
            opening_prompt(exercise, persona), turns=(last,), form=form, begin=begin if begin else exercise.probe
        )
    guidance = _guidance(exercise.language)[form].format(instruct=step.instruct, ask=step.ask)
    return replace(
        opening_prompt(exercise, persona),
        turns=_said(exercise, turns, printed=printed),
        guidance=" ".join(part for part in (guidance, _act(exercise, persona, turns, step, form)) if part),
        form=form,
        begin=begin,
    )


def opening_prompt(exercise: Exercise, persona: Persona) -> Prompt:
    """What every prompt of this exercise and persona begins with, up to the opening."""
    return Prompt(
        system=f"{persona.system.strip()} {exercise.overview}",
        examples=tuple((example.participant, example.therapist) for example in exercise.examples),
        turns=(Utterance("therapist", f"{exercise.opening} {exercise.steps[0].ask}"),),
        guidance="",
        form="statement",
    )


def prompt_so_far(exercise: Exercise, persona: Persona, turns: Sequence[RecordedTurn], *, printed: bool) -> Prompt:
    """What the next prompt begins with after `turns`, the last of which is the therapist's; for an engine that keeps
    what it has read."""
    return replace(opening_prompt(exercise, persona), turns=_said(exercise, turns, printed=printed))


def _said(exercise: Exercise, turns: Sequence[RecordedTurn], *, printed: bool) -> tuple[Utterance, ...]:
    said: list[Utterance] = []
    for turn in turns:
        if printed and turn.speaker == "participant":
            said.append(Utterance("therapist", exercise.step(turn.step).ask))
        said.append(Utterance(turn.speaker, turn.text))
    return tuple(said)


def _act(exercise: Exercise, persona: Persona, turns: Sequence[RecordedTurn], step: Step, form: Form) -> str:
    """What this persona does in the answer to the last of `turns`, if that is one of its moments."""
    if persona.acts == Acts():
        return ""
    first = sum(turn.speaker == "participant" for turn in turns) == 1
    last = form == "statement" and exercise.after(step.id) is None
    return persona.act(moment_of(turns[-1].text, exercise.language, first=first, last=last))


@cache
def _guidance(language: str) -> dict[str, str]:
    """What a model is told of its answer, by the form that it is to have."""
    data = SOURCE.folder.joinpath("guidance.toml").read_bytes()
    return translated("guidance.toml", "guidance", data, language)[0]
