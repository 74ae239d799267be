"""Simulated patients: a situation, a need that is not named, and an emotion that each reply moves.

After the simulated user of arXiv 2507.03112 (RLVER). There a model plays the user and says how it feels; here rules
say how a reply moves the emotion and written lines are what is said, so that a run needs no second model, can be
repeated to the letter, and can be read. A model may write the words instead (`audit.patients.speaking`); it never
moves the emotion.
"""

from audit.patients.patient import Ending, Exchange, Patient, Trajectory, converse
from audit.patients.profile import Demand, Need, Profile, load_profiles, profile_called
from audit.patients.reading import Reading, read

__all__ = [
    "Demand",
    "Ending",
    "Exchange",
    "Need",
    "Patient",
    "Profile",
    "Reading",
    "Trajectory",
    "converse",
    "load_profiles",
    "profile_called",
    "read",
]
