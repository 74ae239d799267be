"""Statistics: numbers in, estimates out. Nothing here knows of studies, files or participants' names.

Models are linear, of normal responses that are correlated within participants; statsmodels has none with the
small-sample corrections that trials of this size need, so these are ours, and checked against R (docs/validation.md).
What a library does well (least squares, survival curves) is left to it.
"""
