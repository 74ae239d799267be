"""Who the participants are, kept apart from the record. (Being written.)"""

from study.study import Study

__all__ = ["contact"]


def contact(study: Study, code: str) -> dict[str, str]:
    """What is known of somebody's name, email and phone; empty when nothing is."""
    return {}
