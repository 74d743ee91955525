"""What all tests share: how long hypothesis looks for counterexamples.

`STOCKADE_HYPOTHESIS=thorough`, as in `make test`, tries ten times as many as an ordinary run.
"""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "quick", max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=100)
settings.load_profile(os.environ.get("STOCKADE_HYPOTHESIS", "quick"))
