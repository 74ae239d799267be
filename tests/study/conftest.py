"""What the tests of the study share."""

from tests.in_memory import tmp_path

__all__ = ["tmp_path"]
