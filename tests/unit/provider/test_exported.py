"""What the provider learns of the whole state, from the command that prints it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from components.core.claims import InState, in_state
from components.failure import Failure
from provider.exported import EXPORT, WholeState


def test_the_state_is_asked_for_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine = {"keys": ["SHA256:a", "SHA256:b"]}
    resources: list[dict[str, Any]] = [
        {"urn": "urn:one", "id": "web1/user deploy", "outputs": {"claim": "c1", "machine": machine}},
        {"urn": "urn:two", "id": "web1/user deploy", "delete": True, "outputs": {"claim": "c2"}},
        {"urn": "urn:three"},
    ]
    (tmp_path / "state").write_text(json.dumps({"version": 3, "deployment": {"resources": resources}}))
    program = "import sys; from pathlib import Path; print((Path(sys.argv[1]) / sys.argv[-1]).read_text())"
    monkeypatch.setenv(EXPORT, json.dumps([sys.executable, "-c", program, str(tmp_path)]))
    whole = WholeState()
    with pytest.raises(Failure, match="resource that belongs, cannot be read"):
        whole.read("missing")
    known = whole.read("state")
    assert known is not None
    assert known.claims == {"c1", "c2"}
    assert known.has(["SHA256:x", "SHA256:b"], "user deploy")
    assert not known.has(["SHA256:b"], "user guest")
    (tmp_path / "state").unlink()
    assert whole.read("state") is known


def test_a_claim_that_cannot_be_read_is_not_taken_for_a_missing_one() -> None:
    assert in_state({}) == InState()
    with pytest.raises(TypeError, match="urn:one: the claim is no text"):
        in_state({"resources": [{"urn": "urn:one", "outputs": {"claim": {"ciphertext": "x"}}}]})
