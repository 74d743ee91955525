"""Creating the directory of a record while another process removes empty directories."""

import subprocess
from pathlib import Path

from hosts.scripts import script


def test_a_place_is_made_while_another_one_takes_the_folders_away(tmp_path: Path) -> None:
    """Tried many times, because it is a race."""
    top = tmp_path / "stockade"
    place = script("hosts/guard/place.sh").replace("/var/lib/stockade", str(top))
    away = ["sh", "-c", f"while :; do rmdir {top}/accounts {top} 2>/dev/null; done"]
    often = f"for i in $(seq 50); do place {top}/accounts {top}/accounts/x; rm {top}/accounts/x; done"
    with subprocess.Popen(away) as other:
        try:
            argv = ["sh", "-euc", f"{place}\n{often}"]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
        finally:
            other.kill()
    assert (done.returncode, done.stderr) == (0, "")


def test_what_stands_in_the_way_of_the_records_is_said(tmp_path: Path) -> None:
    top = tmp_path / "stockade"
    top.write_text("a file")
    place = script("hosts/guard/place.sh").replace("/var/lib/stockade", str(top))
    argv = ["sh", "-euc", f"{place}\nplace {top}/prior {top}/prior/x"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"Stockade's records cannot be kept in {top}/prior: something stands in the way" in done.stderr
    assert top.read_text() == "a file"
