from __future__ import annotations

from server_impl.lifecycle.pace import FirstLoads


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_two_loads_at_once_and_the_others_later_in_usual_rounds() -> None:
    clock = Clock()
    first = FirstLoads(clock)
    begun = []
    for sixty_fourth in range(42):
        clock.now = sixty_fourth / 64
        if first.may_begin("m"):
            first.begins("m")
            begun.append(clock.now)
    assert begun == [0, 1 / 64, 32 / 64, 39 / 64]


def test_each_model_for_itself() -> None:
    first = FirstLoads(Clock())
    first.begins("m")
    first.begins("m")
    assert not first.may_begin("m")
    assert first.may_begin("n")
