"""Settings of all tests: how many examples hypothesis tries, and the environment of the programs that tests start.

`STOCKADE_HYPOTHESIS=thorough`, as in `make test`, tries ten times as many examples as an ordinary run.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=100)
settings.load_profile(os.environ.get("STOCKADE_HYPOTHESIS", "quick"))

# In CI, a preview reads no key file outside its project, but the keys of the tests' hosts are outside.
os.environ.pop("CI", None)

# Each test has its own project folder, full of links: with a cache by path, each would compile everything again.
for name in ("PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE"):
    os.environ.pop(name, None)
