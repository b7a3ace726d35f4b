"""Each attack in docs/attacks.md names tests, and they are there."""

import re
from pathlib import Path

TESTS = Path(__file__).parent
_ROW = re.compile(r"^\| (\d+) \|")
_TEST = re.compile(r"`([\w/]+\.py)::(test_\w+)`")


def test_every_attack_names_tests_that_exist() -> None:
    rows = [line for line in (TESTS.parent / "docs" / "attacks.md").read_text().splitlines() if _ROW.match(line)]
    assert [line.split()[1] for line in rows] == [str(number) for number in range(1, 29)]
    for line in rows:
        named = _TEST.findall(line)
        assert named, line
        for file, test in named:
            assert f"def {test}(" in (TESTS / file).read_text(), f"{file}::{test}"
