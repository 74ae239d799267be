"""A prompt as chat messages, in the form that every chat template accepts.

Many templates refuse a system message anywhere but first, a first turn of the assistant, or two turns of one role in
a row. So guidance goes into the last message of the participant, in brackets; an opening of the therapist follows a
short cue; and neighbours of one role are joined. Guidance never moves earlier than the last message, so that all
before it stays the same from turn to turn and its keys and values can be kept.

The marks with which templates tell who speaks are broken in what was said: nobody writes a role into the prompt.
"""

import re

from therapist.engine import Prompt

__all__ = ["Messages", "as_messages", "broken", "without_system"]

Messages = list[dict[str, str]]
"""Each `{"role": "system" | "user" | "assistant", "content": ...}`."""

_CUE = "(The exercise begins.)"

_MARK = re.compile(
    r"<(?:[|｜][^<>\n]{1,60}|/?[^<>\n]{1,60}[|｜])>"  # <|im_start|>, <|turn>, <turn|>
    r"|</?(?:s|bos|eos|start_of_turn|end_of_turn)>"
    r"|<</?SYS>>|\[/?(?:INST|SYS|SYSTEM_PROMPT)\]",
    re.IGNORECASE,
)
"""The forms of such marks in the templates of most families of models."""


def as_messages(prompt: Prompt, *, begin_in_words: bool = False) -> Messages:
    """The messages of `prompt`, without the words its reply begins with; no system message where it has no text.

    With `begin_in_words` the guidance tells the model how to begin: for servers that cannot be given the beginning.
    """
    messages: Messages = [{"role": "system", "content": prompt.system}] if prompt.system else []
    for participant, therapist in prompt.examples:
        _append(messages, "user", participant)
        _append(messages, "assistant", therapist)
    if prompt.turns and prompt.turns[0].speaker == "therapist":
        _append(messages, "user", _CUE)
    for said in prompt.turns:
        _append(messages, "user" if said.speaker == "participant" else "assistant", broken(said.text))
    guidance = prompt.guidance
    if begin_in_words and prompt.begin:
        guidance = f'{guidance} Begin with "{prompt.begin.strip()}".'.strip()
    if guidance:
        _append(messages, "user", f"({guidance})")
    return messages


def without_system(messages: Messages) -> Messages:
    """The same for templates that know no system message: its text leads the first message of the user."""
    first, *rest = messages
    if first["role"] != "system":
        return messages
    if not rest or rest[0]["role"] != "user":
        return [{"role": "user", "content": first["content"]}, *rest]
    return [{"role": "user", "content": f"{first['content']}\n\n{rest[0]['content']}"}, *rest[1:]]


def broken(text: str, marks: re.Pattern[str] = _MARK) -> str:
    """The text with a space behind the first character of each of the `marks` in it, so that they are read as words."""
    return marks.sub(lambda mark: f"{mark[0][0]} {mark[0][1:]}", text)


def _append(messages: Messages, role: str, content: str) -> None:
    if messages and messages[-1]["role"] == role:
        messages[-1]["content"] += "\n\n" + content
    else:
        messages.append({"role": role, "content": content})
