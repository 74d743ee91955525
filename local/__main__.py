"""`python -m local COMMAND --stack S …`: the Pulumi CLI if it is on PATH, otherwise the embedded engine.

Commands: preview, up, refresh, destroy, export, import, output, and `config set|get|rm`, `state delete|taint|...`;
`look` uses neither: it logs in and prints what is on the hosts.
STOCKADE_ENGINE=pulumi or =embedded overrides the choice.
`preview` and `up` enforce the policy pack in policies/ (docs/policies.md) unless STOCKADE_POLICIES=off.
The lab's stacks contain no secrets: their passphrase is "lab" unless another is set.
"""

import sys

from local.commands import main

if __name__ == "__main__":
    main(sys.argv[1:])
