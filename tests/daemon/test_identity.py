from __future__ import annotations

from pathlib import Path

import pytest

from sensed.daemon.identity import device_id
from sensed.errors import ConfigError


def test_the_id_is_stable_differs_per_machine_and_hides_the_machine_id(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("0123456789abcdef0123456789abcdef\n")
    other.write_text("0123456789abcdef0123456789abcdee\n")
    assert device_id(one) == device_id(one)
    assert device_id(one) != device_id(other)
    assert len(device_id(one)) == 12
    assert device_id(one) not in one.read_text()


@pytest.mark.parametrize("content", [None, ""])
def test_without_a_machine_id_the_remedy_is_told(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "machine-id"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=r"set device\.id"):
        device_id(path)
