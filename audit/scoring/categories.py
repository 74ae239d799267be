"""Which categories of a file of rules a reply has: the rules are written as those of the crisis screen are."""

from functools import cache, lru_cache

from audit._datafiles import table_of
from therapist.screen import Rule, normalise, read_rules

__all__ = ["categories_in"]


@lru_cache(1024)
def categories_in(reply: str, name: str) -> frozenset[str]:
    """The categories of the rules in `audit/data/<name>.toml` that find something in `reply`."""
    plain, _ = normalise(reply)
    return frozenset(rule.category for rule in _rules(name) if rule.find(plain))


@cache
def _rules(name: str) -> tuple[Rule, ...]:
    table = table_of(name)
    return read_rules(f"data/{name}.toml", table["rules"], table["parts"])
