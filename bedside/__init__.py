"""Bedside: randomised studies of therapy delivered by a robot, a text chat or a worksheet.

This package holds the `bedside` command and puts the rooms together.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("bedside")
