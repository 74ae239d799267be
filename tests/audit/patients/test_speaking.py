"""A model that writes a patient's words."""

import asyncio

import pytest
from inspect_ai.model import ChatMessage, GenerateConfig, ModelOutput

from audit.patients import Patient, profile_called
from audit.patients.speaking import PatientModel, prompt_for


class Says:
    """A model that says one thing."""

    def __init__(self, text: str) -> None:
        self.text = text

    async def generate(self, messages: list[ChatMessage], config: GenerateConfig) -> ModelOutput:
        return ModelOutput.from_content("says", self.text)


def words(text: str) -> str | None:
    writer = PatientModel(Says(text))  # type: ignore[arg-type] # as much of a model as is asked of it
    return asyncio.run(writer.words(Patient(profile_called("homesick"), 1)))


def test_two_sentences_are_said_and_no_quotation_marks() -> None:
    assert words('"I went out. It rained. I came back."') == "I went out. It rained."


@pytest.mark.parametrize("text", ["", "  ", "I want to kill myself."])
def test_words_that_stop_the_screen_are_not_said(text: str) -> None:
    assert words(text) is None


def test_the_model_is_told_how_the_patient_stands_and_what_was_said() -> None:
    patient = Patient(profile_called("homesick"), 1)
    first = prompt_for(patient)
    assert patient.profile.situation in first[0].text
    assert "to be asked" in first[0].text
    said = patient.opens()
    patient.hears("What is the car park like, seen from your window?")
    later = prompt_for(patient)
    assert f"You: {said}" in later[1].text
    assert "Guide: What is the car park like" in later[1].text
    assert later[1].text.endswith("You:")
    patient.emotion = 20
    assert "close to leaving" in prompt_for(patient)[0].text
