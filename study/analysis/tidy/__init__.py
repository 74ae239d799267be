"""The same models on any tidy table: a CSV file and a plan that names its columns; no study is needed.

So that a reader can check the models against published data, and use them on data from elsewhere.
"""

from study.analysis.tidy.fitting import TidyResult, fit
from study.analysis.tidy.plan import TidyPlan, load_plan
from study.analysis.tidy.table import TidyTable, read_table

__all__ = ["TidyPlan", "TidyResult", "TidyTable", "fit", "load_plan", "read_table"]
