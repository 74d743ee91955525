"""`python -m local COMMAND --stack S …`: the Pulumi CLI if it is on PATH, otherwise the embedded engine.

Commands: preview, up, refresh, destroy, export, import, output, and `config set|get|rm`, `state delete|taint|...`;
`look` logs in and prints what is on the hosts, with neither engine.
STOCKADE_ENGINE=pulumi or =embedded decides otherwise.
`preview` and `up` enforce the policy pack in policies/ (docs/policies.md); STOCKADE_POLICIES=off leaves it out.
The lab's stacks have the passphrase "lab", unless another is set: there is nothing secret in them.
"""

import sys

from local.commands import main

if __name__ == "__main__":
    main(sys.argv[1:])
