"""Exact intervals for shares of utterances that are each judged once, and always alike."""

__all__ = ["exact_share"]


def exact_share(count: int, n: int) -> tuple[float | None, float | None, float | None]:
    """The share `count / n` with the ends of its exact 95 % interval; None three times where `n` is 0.

    Clopper and Pearson (1934): at each end, as many or more (as few or fewer) have a chance of 2.5 %. It holds for
    0 of n and n of n, and covers 95 % or more whatever the share is.
    """
    if n == 0:
        return None, None, None
    # Here, so that whoever only screens does not wait for it to be loaded.
    from study.statistics.counts import share

    found = share(count, n)
    return found.value, found.low, found.high
