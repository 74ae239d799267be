"""The audit: a model's manner, measured before a participant meets it.

Each suite is a task of inspect_ai: its items are data, its scorers begin with rules. What inspect_ai does well
(running, resuming, logs, the viewer) is left to it.
"""
