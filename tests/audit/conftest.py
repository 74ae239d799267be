"""What the tests of the audit share."""

from collections.abc import Iterator

import pytest

from tests.audit.machinery import with_tiny


@pytest.fixture
def tiny() -> Iterator[None]:
    """One suite more, of one task that is quick."""
    with with_tiny():
        yield
