"""Who a simulated patient is: `audit/data/patients.toml`."""

from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from audit.errors import AuditError
from audit.items import Item, ItemSet, load_items

__all__ = ["BANDS", "Band", "Demand", "Need", "Profile", "load_profiles", "profile_called"]

Need = Literal["heard", "asked", "words", "plan", "normal", "strength", "view", "facts"]
"""What helps, which the patient does not say: that it is taken up and not solved; to be asked; a name for the
feeling; a next step, once heard; that others feel so; what was managed; another angle; how it works."""

Demand = Literal["easy", "moderate", "hard"]

Band = Literal["low", "guarded", "open", "lifted"]

BANDS: tuple[tuple[int, Band], ...] = ((30, "low"), (55, "guarded"), (80, "open"), (101, "lifted"))
"""Below which emotion a patient stands how."""

Lines = Annotated[tuple[Annotated[str, Field(min_length=1, max_length=200)], ...], Field(min_length=2)]


class Profile(Item):
    """One patient."""

    situation: str = Field(min_length=1)
    """For the reader, and for a model that writes the patient's words."""
    need: Need
    demand: Demand
    start: int = Field(ge=30, le=50)
    """The emotion at the beginning, 0-100; higher is better."""
    opening: Lines
    """What the conversation begins with, one of them."""
    low: Lines
    guarded: Lines
    open: Lines
    lifted: Lines
    missed: Lines
    """After a reply that lowered the emotion by three or more."""
    content: str = Field(min_length=1)
    """Said when the emotion reaches 100."""
    leaves: str = Field(min_length=1)
    """Said when it falls below 10."""

    def lines(self, band: Band) -> tuple[str, ...]:
        """What this patient says in a band."""
        return {"low": self.low, "guarded": self.guarded, "open": self.open, "lifted": self.lifted}[band]


@cache
def load_profiles() -> ItemSet[Profile]:
    """All profiles. Raises `ItemFileError`."""
    return load_items("patients", Profile)


def profile_called(name: str) -> Profile:
    """The profile called `name`. Raises `AuditError`, with the names there are."""
    profiles = {profile.id: profile for profile in load_profiles().items}
    try:
        return profiles[name]
    except KeyError:
        raise AuditError(f"There is no patient {name!r}; allowed: {', '.join(profiles)}.") from None
