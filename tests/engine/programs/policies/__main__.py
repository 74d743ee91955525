"""Two policies about Items: a mandatory one on each, and an advisory one on the stack."""

from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ResourceValidationPolicy,
    StackValidationPolicy,
)


def no_curses(args, report):
    if args.props.get("text") in (args.get_config() or {}).get("words", ["damn"]):
        report("mind your language")


def not_many(args, report):
    items = [item for item in args.resources if "dynamic" in item.resource_type]
    if len(items) > 2:
        report(f"{len(items)} items are many")


PolicyPack(
    "manners",
    [
        ResourceValidationPolicy(
            name="no-curses",
            description="No curses.",
            enforcement_level=EnforcementLevel.MANDATORY,
            config_schema=None,
            validate=no_curses,
        ),
        StackValidationPolicy(
            name="not-many",
            description="Not many items.",
            enforcement_level=EnforcementLevel.ADVISORY,
            validate=not_many,
        ),
    ],
)
