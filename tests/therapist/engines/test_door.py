"""The door to a server: who is let in next."""

import threading
import time

from therapist.engines._breaker import Breaker
from therapist.engines._door import Door, Ticket


def served(door: Door, conversation: str) -> None:
    ticket = Ticket(conversation, "interactive")
    assert door.enter(ticket)
    door.leave(ticket)


def test_the_earlier_turns_of_a_visit_do_not_count_against_it() -> None:
    door = Door(Breaker(time.monotonic), 1, "server")
    for _ in range(10):
        served(door, "long visit")
    inside = Ticket("other", "interactive")
    assert door.enter(inside)
    waiting = [Ticket(name, "interactive") for name in ("long visit", "new visit", "new visit")]
    threads = []
    for number, ticket in enumerate(waiting):
        threads.append(threading.Thread(target=door.enter, args=(ticket,), daemon=True))
        threads[-1].start()
        while door.waiting <= number:
            time.sleep(0.001)
    # Who had none yet goes first with one, and not with two.
    assert [door.place(ticket) for ticket in waiting] == [2, 1, 3]
    for ticket in waiting:
        door.withdraw(ticket)
    for thread in threads:
        thread.join(10)


def test_visits_that_are_over_are_forgotten() -> None:
    door = Door(Breaker(time.monotonic), 1, "server")
    for number in range(50):
        for _ in range(2):
            served(door, f"visit {number}")
    assert len(door._waiting._last) <= 2
