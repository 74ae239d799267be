"""The errors this room raises, all under `AuditError`. A message says what is wrong, where, and what to do."""

__all__ = ["AuditError", "ItemFileError", "NoResults"]


class AuditError(Exception):
    """Something this room refuses, in one sentence that can be shown to a user."""


class ItemFileError(AuditError):
    """A file of items, labels or a rubric is missing or malformed."""


class NoResults(AuditError):
    """There are no results of an audit where they were looked for."""
