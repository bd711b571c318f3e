"""Where updates stand on a schedule, with time enough and without."""

import itertools

import pytest

from ocr_lib.training.pace import Pace, duration

UPDATES = 1000


def positions(seconds, deadline, updates=UPDATES):
    """Return where updates stand that take so many seconds each, until the deadline."""
    now = [0.0]
    pace = Pace(updates, 0.0, deadline, lambda: now[0])
    found = []
    for done, each in zip(range(updates), seconds):
        if now[0] >= deadline:
            break
        found.append(pace.advance(done))
        now[0] += each
    return found


@pytest.mark.parametrize("deadline", [float("inf"), 1300.0])
def test_with_time_enough_each_stands_at_its_number(deadline):
    assert positions(itertools.repeat(1.0), deadline) == list(range(1, UPDATES + 1))


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_with_less_the_schedule_ends_with_it(share):
    found = positions(itertools.repeat(1.0), share * UPDATES)
    assert len(found) == share * UPDATES
    assert found[-1] == pytest.approx(UPDATES, rel=0.01)
    assert all(0 < step < 4 / share for step in map(float.__sub__, found[1:], found))


def test_a_machine_that_becomes_slow_still_gets_to_the_end():
    found = positions(itertools.chain([1.0] * 200, itertools.repeat(4.0)), UPDATES)
    assert len(found) == 400
    assert found[-1] == pytest.approx(UPDATES, rel=0.02)
    assert found[199] == pytest.approx(200)


def test_a_machine_that_becomes_fast_does_all_updates():
    found = positions(itertools.chain([4.0] * 100, itertools.repeat(0.5)), UPDATES)
    assert len(found) == UPDATES and found[-1] == pytest.approx(UPDATES)
    assert found == sorted(found)


def test_goes_on_where_it_stood():
    pace = Pace(UPDATES, 600.0)
    assert [pace.advance(done) for done in range(200, 204)] == pytest.approx([600.5, 601, 601.5, 602])
    longer = Pace(2 * UPDATES, 1000.0)
    assert longer.advance(1000) == 1001


def test_forecast_is_of_the_speed_since_the_first_update():
    now = [0.0]
    pace = Pace(UPDATES, 0.0, 600.0, lambda: now[0])
    found = []
    for done in range(21):
        now[0] += 0.5 if done else 5.0  # the first compiles
        pace.advance(done)
        found.append(pace.forecast(done + 1))
    assert found[:10] == [None] * 10
    assert found[-1] == pytest.approx(0.5 * (UPDATES - 21))
    now[0] = 599.0
    assert pace.forecast(21) == 1.0  # the deadline


def test_there_is_no_forecast_from_a_moment():
    now = [0.0]
    pace = Pace(UPDATES, clock=lambda: now[0])
    for done in range(100):
        now[0] += 0.01
        pace.advance(done)
        assert pace.forecast(done + 1) is None


@pytest.mark.parametrize(
    "seconds, told",
    [
        (0.2, "0 s"),
        (45, "45 s"),
        (89, "89 s"),
        (100, "2 min"),
        (540, "9 min"),
        (5370, "1 h 30 min"),
        (36000, "10 h 0 min"),
    ],
)
def test_duration(seconds, told):
    assert duration(seconds) == told
