"""What the provider process loads while the engine still starts the program."""

from pathlib import Path

from provider.server import CHAPTERS

COMPONENTS = Path(__file__).parents[2] / "components"


def test_every_chapter_with_a_provider_is_loaded_beforehand() -> None:
    those = {file.stem for file in COMPONENTS.glob("*.py") if "(HostProvider[" in file.read_text()}
    assert those == set(CHAPTERS)
