"""Chance that can be repeated."""

import pytest

from crm_assets.sandbox.chance import Dice, last_beat, mix


def test_mixing_gives_the_same_number_in_every_process() -> None:
    assert mix(1, 2, 3) == mix(1, 2, 3)
    assert mix(1, 2, 3) == 1_957_674_608_737_312_442


def test_the_order_of_the_parts_matters() -> None:
    assert mix(1, 2) != mix(2, 1)


@pytest.mark.parametrize("seed", range(5))
def test_beats_follow_each_other_without_a_gap(seed: int) -> None:
    beat = last_beat(mix(seed), 100, 1_000_000)
    for _ in range(50):
        following = last_beat(mix(seed), 100, beat.until)
        assert (following.number, following.at) == (beat.number + 1, beat.until)
        assert last_beat(mix(seed), 100, beat.until - 1) == beat
        beat = following


def test_dice_are_even() -> None:
    dice = Dice(1)
    drawn = [dice.number(10, 40, 10) for _ in range(3000)]
    assert {number: round(drawn.count(number) / 3000, 1) for number in drawn} == {10: 0.3, 20: 0.3, 30: 0.3}
