"""Nothing unexpected listens on a host. Seen on the host, so checked after Stockade has read it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from policies.base import LISTENERS, CannotTellYetError, DeclaredHost, host_policy, items
from policies.settings import PolicySettings


def _check(host: DeclaredHost, settings: PolicySettings) -> Iterable[str]:
    looked = host.of(LISTENERS)
    if not looked:
        yield "nothing checks what listens. Declare `stockade:listeners: {}`."
    for resource in looked:
        observed: Any = resource.props.get("observed")
        if observed is None:
            raise CannotTellYetError("what listens is seen only in `pulumi up`, which decides then")
        found, _ = items(observed.get("unexpected"))
        if found:
            yield (
                f"{', '.join(found)} listens unexpectedly. Remove the package (`absent` under "
                "`stockade:packages`), or name it in `expected` under `stockade:listeners`."
            )


POLICIES = [host_policy("listeners-expected", "Nothing unexpected listens.", _check)]
