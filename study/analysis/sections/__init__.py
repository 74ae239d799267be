"""The sections of an analysis, a module each: `section(data) -> Section`."""
