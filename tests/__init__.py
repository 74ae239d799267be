"""The tests. A package by name, because another distribution brings a `tests` of its own, which else came first."""
