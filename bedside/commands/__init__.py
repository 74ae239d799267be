"""The subcommands of `bedside`, by what they are for. Each only parses, calls and words what came of it."""
