"""The policy pack, as Pulumi runs it: `pulumi preview --policy-pack policies`."""

import sys
from pathlib import Path

# Pulumi runs the pack in its own directory, but its modules are imported from the repository.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pulumi_policy import PolicyPack

from components.core.judged import mark
from policies.configuration import observe
from policies.pack import NAME, POLICIES, VERSION

observe(POLICIES, VERSION)
mark(sys.argv[1])
PolicyPack(NAME, POLICIES)
