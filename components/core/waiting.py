"""What components depend on, and the options that their children get."""

from __future__ import annotations

from collections.abc import Sequence

from pulumi import Resource, ResourceOptions

Before = list[Resource]


def waiting(opts: ResourceOptions | None, *more: Resource) -> tuple[ResourceOptions | None, Before]:
    """Return a component's options without `depends_on`, and what its children must depend on instead.

    An engine skips whatever depends on a failed resource. If that is a component, the CLI takes the outputs that it
    still registers for an error, which ends the run for all other hosts.
    """
    before = opts.depends_on if opts else None
    if opts is None or before is None:
        return opts, list(more)
    if isinstance(before, Resource):
        found = [before]
    elif isinstance(before, Sequence) and all(isinstance(item, Resource) for item in before):
        found = [item for item in before if isinstance(item, Resource)]
    else:  # known only later
        return opts, list(more)
    free = ResourceOptions.merge(opts, None)
    free.depends_on = None
    return free, [*found, *more]


def passed_on(opts: ResourceOptions | None) -> ResourceOptions:
    """Return the options of a component that its children need, too: engines pass on only some, such as `protect`."""
    if opts is None:
        return ResourceOptions()
    return ResourceOptions(retain_on_delete=opts.retain_on_delete, custom_timeouts=opts.custom_timeouts)
