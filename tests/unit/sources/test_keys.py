"""Keys: fingerprints only, and never a byte of a key anywhere."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tfotop.sample import Keys, Problem
from tfotop.sources import keys

ONE = b"00112233-44556677-8899aabb-ccddeeff"
ONE_BYTES = bytes.fromhex("33221100 77665544 bbaa9988 ffeeddcc")
ZERO = b"00000000-00000000-00000000-00000000"


def test_the_fingerprint_never_changes() -> None:
    """It is compared between hosts that may run different versions."""
    assert keys.fingerprint(bytes(range(16))) == "794c"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ONE + b"\n", Keys(primary=keys.fingerprint(ONE_BYTES))),
        (
            ONE + b"," + ZERO[:-1] + b"1\n",
            Keys(primary=keys.fingerprint(ONE_BYTES), backup=keys.fingerprint(bytes(12) + b"\x01\0\0\0")),
        ),
        (ZERO + b"\n", Keys()),
        (ONE + b"," + ZERO, Keys(primary=keys.fingerprint(ONE_BYTES))),
        (ZERO + b"," + ONE, Keys(backup=keys.fingerprint(ONE_BYTES))),
        (b"", None),
        (b"1-2-3", None),
        (ONE + b"0", None),
        (b",".join([ONE] * 3), None),
        (ONE + b",", None),
    ],
)
def test_one_key_two_or_nonsense(text: bytes, expected: Keys | None) -> None:
    assert keys.parse(text) == expected


def test_a_file_that_is_missing_is_silent(tmp_path: Path) -> None:
    assert keys.read(pytest.fail, str(tmp_path / "missing")) is None


def test_a_file_closed_to_us_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    problems: list[Problem] = []
    assert keys.read(problems.append) is None
    assert [problem.remedy for problem in problems] == ["run as root"]


def test_a_malformed_key_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_bytes(ONE + b"-12345678")
    problems: list[Problem] = []
    assert keys.read(problems.append, str(path)) is None
    assert len(problems) == 1
    assert not any(word.decode() in problems[0].text for word in ONE.split(b"-"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary() | st.text("0123456789abcdef-,", max_size=80).map(str.encode))
def test_any_bytes_are_keys_or_one_problem(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    problems: list[Problem] = []
    assert (keys.read(problems.append, str(path)) is None) == (len(problems) == 1)
