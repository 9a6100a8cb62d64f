"""How long to wait after the nth failure."""

from __future__ import annotations

from mamekube.foundation.backoff import Backoff


def test_waits_double_up_to_the_limit() -> None:
    backoff = Backoff(initial_s=10, limit_s=300)
    assert [backoff.next_s("a") for _ in range(7)] == [10, 20, 40, 80, 160, 300, 300]
    assert backoff.current_s("a") == 300


def test_keys_fail_apart() -> None:
    backoff = Backoff(initial_s=1, limit_s=8)
    assert [backoff.next_s("a"), backoff.next_s("a"), backoff.next_s("b")] == [1, 2, 1]


def test_success_begins_anew() -> None:
    backoff = Backoff(initial_s=1, limit_s=8)
    backoff.next_s("a")
    backoff.next_s("a")
    backoff.forget("a")
    assert (backoff.current_s("a"), backoff.next_s("a")) == (0, 1)


def test_an_old_failure_is_forgotten() -> None:
    backoff = Backoff(initial_s=10, limit_s=300, forget_after_s=600)
    assert backoff.next_s("a", now_s=0) == 10
    assert backoff.next_s("a", now_s=600) == 20
    assert backoff.next_s("a", now_s=1201) == 10


def test_jitter_only_adds() -> None:
    backoff = Backoff(initial_s=10, limit_s=10, jitter=0.5)
    waits = [backoff.next_s("a") for _ in range(200)]
    assert all(10 <= wait <= 15 for wait in waits)
    assert len(set(waits)) > 100
