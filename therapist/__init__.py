"""The one backend: everything that decides what is said, in every arm.

A `Conversation` joins an exercise (what is asked), a persona (in what manner), an engine (what writes
the text) and the safety screen (what must never be left to an engine). It knows nothing of studies,
databases or the web: it reads and writes a `Transcript`, which whoever runs the visit supplies.
"""
