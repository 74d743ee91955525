"""What the provider process loads while the engine still starts the program."""

import asyncio
from pathlib import Path

import pytest
from pulumi.runtime import rpc

from provider.chapters import CHAPTERS
from provider.server import _struct

COMPONENTS = Path(__file__).parents[2] / "components"


def test_every_chapter_with_a_provider_is_loaded_beforehand() -> None:
    those = {file.stem for file in COMPONENTS.glob("*.py") if "(HostProvider[" in file.read_text()}
    assert those == set(CHAPTERS)


def test_plain_properties_are_serialised_as_the_sdk_does() -> None:
    plain = {
        "text": "a",
        "number": 1,
        "none": None,
        "nested": {"list": [1, True, {"deep": "b"}]},
        "unknown": rpc.UNKNOWN,
    }
    assert _struct(plain) == asyncio.run(rpc.serialize_properties(dict(plain), {}))


async def _waits() -> None:
    with pytest.raises(TypeError, match="not plain"):
        _struct({"later": asyncio.get_running_loop().create_future()})


def test_what_has_to_be_waited_for_is_refused() -> None:
    asyncio.run(_waits())
