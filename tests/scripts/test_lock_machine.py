"""The lock scripts against a model, any order of operations on two files."""

import asyncio
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from genro_wopi.adapters.redis.client import connect
from genro_wopi.domain.errors import LockMismatchError
from genro_wopi.domain.sessions import Session
from genro_wopi.protocol.lock_id import LockId
from tests.support.world import World

FILES = st.sampled_from([0, 1])
LOCKS = st.sampled_from(["a", "b", "c"])


class LockMachine(RuleBasedStateMachine):
    """Each step does the same to Redis and to a dictionary, and compares."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.context = connect(self.url)
        self.world = World(self.runner.run(self.context.__aenter__()))
        self.sessions: list[Session] = self.runner.run(self._sessions())
        self.model: dict[int, str] = {}
        self.requests = 0

    async def _sessions(self) -> list[Session]:
        await self.world.redis.call("FLUSHALL")
        return [await self.world.session(await self.world.file(f"{n}.txt")) for n in (0, 1)]

    def real(self, operation: str, file: int, lock: str, *more: Any) -> str | None:
        """Return what Redis says holds the file where it refused; "ok" where it did not."""
        self.requests += 1
        request = self.world.lock(self.sessions[file], lock, request_id=str(self.requests))
        call = getattr(self.world.locks, operation)(request, *more, deadline_s=0)
        try:
            self.runner.run(call)
        except LockMismatchError as error:
            return error.held
        return "ok"

    @rule(file=FILES, lock=LOCKS)
    def lock(self, file: int, lock: str) -> None:
        holder = self.model.setdefault(file, lock)
        assert self.real("lock", file, lock) == ("ok" if holder == lock else holder)

    @rule(file=FILES, lock=LOCKS)
    def unlock(self, file: int, lock: str) -> None:
        holder = self.model.get(file)
        assert self.real("unlock", file, lock) == ("ok" if holder == lock else holder)
        if holder == lock:
            del self.model[file]

    @rule(file=FILES, lock=LOCKS)
    def refresh(self, file: int, lock: str) -> None:
        holder = self.model.get(file)
        assert self.real("refresh", file, lock) == ("ok" if holder == lock else holder)

    @rule(file=FILES, lock=LOCKS, old=LOCKS)
    def relock(self, file: int, lock: str, old: str) -> None:
        holder = self.model.get(file)
        expected = "ok" if holder == old else holder
        assert self.real("relock", file, lock, LockId(old)) == expected
        if holder == old:
            self.model[file] = lock

    def teardown(self) -> None:
        self.runner.run(self.context.__aexit__(None, None, None))
        self.runner.close()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("examples", [15, pytest.param(60, marks=pytest.mark.check)])
def test_redis_agrees_with_the_model(redis_url: str, examples: int) -> None:
    LockMachine.url = redis_url
    run_state_machine_as_test(
        LockMachine, settings=settings(max_examples=examples, stateful_step_count=25, deadline=None)
    )
