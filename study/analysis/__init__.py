"""The analysis: the plan of `study.toml`, run on the record; or a plan of its own, on any tidy table."""
