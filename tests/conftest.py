"""What all tests share: how long hypothesis looks for counterexamples, and where started programs keep compiled Python.

`STOCKADE_HYPOTHESIS=thorough`, as in `make test`, tries ten times as many as an ordinary run.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=100)
settings.load_profile(os.environ.get("STOCKADE_HYPOTHESIS", "quick"))

# In CI a preview reads no key file outside of its project; the keys of tests' hosts are outside of the tests' projects.
os.environ.pop("CI", None)

# Each test has a project folder of its own, full of links: a cache by path would compile everything anew for each.
for name in ("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(name, None)
