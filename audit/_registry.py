"""What inspect_ai loads by the entry point `inspect_ai`: our models, solvers and tasks, for `inspect eval audit/...`.

A task is registered as `audit/<suite>` however Bedside was installed: by itself inspect_ai gives that name to the
tasks of packages in site-packages, and not to those of an editable install whose distribution has another name.
"""

from inspect_ai._util.registry import RegistryInfo, registry_add, registry_has, registry_info

from audit import personas, provider
from audit.suite import all_suites

__all__ = ["personas", "provider"]

for _suite in all_suites().values():
    _name = f"audit/{_suite.name}"
    if not registry_has("task", _name):
        _known = registry_info(_suite.task)
        registry_add(_suite.task, RegistryInfo(type="task", name=_name, metadata=_known.metadata))
