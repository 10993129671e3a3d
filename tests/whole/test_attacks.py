"""Damage and hostile input, in every area, end in one sentence or in what was meant: tests/kit/attacks.py has them."""

from collections import Counter
from itertools import groupby

import pytest

from attacks import SENTENCE, attacks

AREAS = {area: list(some) for area, some in groupby(attacks(), key=lambda attack: attack.area)}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("area", AREAS)
def test_no_attack_gets_through(area, tmp_path):
    for number, attack in enumerate(AREAS[area]):
        (tmp_path / str(number)).mkdir()
        try:
            attack.become(tmp_path / str(number))
        except Exception as error:
            raise AssertionError(f"{area}, {attack.name}") from error


def test_there_are_hundreds_and_they_bite():
    """Damage is drawn at random: if most of it were none, nothing would be tried."""
    assert Counter({area: len(some) for area, some in AREAS.items()}).total() >= 300
    assert sum(attack.outcome == SENTENCE for some in AREAS.values() for attack in some) >= 150
