"""A prompt as chat messages, in the form that every chat template accepts.

Many templates refuse a system message anywhere but first, a first turn of the assistant, or two turns of one role in
a row. So guidance goes into the last message of the participant, in brackets; an opening of the therapist follows a
short cue; and neighbours of one role are joined.
"""

from therapist.engine import Prompt

__all__ = ["as_messages"]

_CUE = "(The exercise begins.)"


def as_messages(prompt: Prompt, *, begin_in_words: bool = False) -> list[dict[str, str]]:
    """The messages of `prompt`, without the words its reply begins with.

    With `begin_in_words` the guidance tells the model how to begin: for servers that cannot be given the beginning.
    """
    messages = [{"role": "system", "content": prompt.system}]
    for participant, therapist in prompt.examples:
        _append(messages, "user", participant)
        _append(messages, "assistant", therapist)
    _append(messages, "user", _CUE)
    for said in prompt.turns:
        _append(messages, "user" if said.speaker == "participant" else "assistant", said.text)
    guidance = prompt.guidance
    if begin_in_words and prompt.begin:
        guidance += f' Begin with "{prompt.begin}".'
    if guidance:
        messages[-1]["content"] += f"\n\n({guidance})"
    return messages


def _append(messages: list[dict[str, str]], role: str, content: str) -> None:
    if messages[-1]["role"] == role:
        messages[-1]["content"] += "\n\n" + content
    else:
        messages.append({"role": role, "content": content})
