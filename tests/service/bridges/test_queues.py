"""What waits is bounded, whoever sends how much, and the newest wins."""

from __future__ import annotations

import asyncio

import pytest
from aiomqtt import Message
from hypothesis import given
from hypothesis import strategies as st

from service.bridges.frigate.camera_queues import MOST_WAITING, CameraQueue
from service.bridges.frigate.incoming import MOST_BYTES, MOST_MESSAGES, NewestMessages
from service.bridges.frigate.told_seldom import ToldSeldom
from service.bridges.frigate.tracked_objects import TrackedObject, read_event


def message(payload: bytes, *, retain: bool = False) -> Message:
    return Message("frigate/events", payload, 0, retain, 0, None)


def tracked(event: str, *, is_over: bool = False, picture: float | None = None) -> TrackedObject:
    return TrackedObject(event, "front", "person", None, picture, is_over)


def test_of_messages_the_newest_stay() -> None:
    queue = NewestMessages()
    for number in range(10_000):
        queue.put_nowait(message(str(number).encode()))
    queue.put_nowait(message(bytes(MOST_BYTES + 1)))
    queue.put_nowait(message(b"kept from yesterday", retain=True))
    assert queue.qsize() == MOST_MESSAGES
    left = [int(queue.get_nowait().payload) for _ in range(MOST_MESSAGES)]  # type: ignore[arg-type]
    assert left == list(range(10_000 - MOST_MESSAGES, 10_000))
    assert queue.dropped == 10_000 - MOST_MESSAGES + 2


def test_objects_wait_once_each_and_the_newest_stay() -> None:
    async def run() -> list[TrackedObject]:
        followed: list[TrackedObject] = []
        free, last = asyncio.Event(), asyncio.Event()

        async def follow(one: TrackedObject) -> None:
            await free.wait()
            followed.append(one)
            if one.id == "999":
                last.set()

        queue = CameraQueue(follow, ToldSeldom())
        queue.put(tracked("first"))
        await asyncio.sleep(0)  # it is at work
        for number in range(1000):
            queue.put(tracked(f"{number}"))
            assert len(queue) <= MOST_WAITING
        queue.put(tracked("999", picture=2.0))
        queue.put(tracked("998", is_over=True))
        queue.put(tracked("998"))  # older, though it comes later
        free.set()
        await last.wait()
        await queue.end(5)
        return followed

    followed = asyncio.run(run())
    assert [one.id for one in followed] == [
        "first",
        *map(str, range(1000 - MOST_WAITING, 1000)),
    ]
    assert followed[-1].picture == 2.0
    assert followed[-2].is_over


def test_an_object_that_cannot_be_followed_ends_nothing() -> None:
    async def run() -> list[str]:
        followed: list[str] = []
        last = asyncio.Event()

        async def follow(one: TrackedObject) -> None:
            if one.id == "defect":
                raise ArithmeticError
            followed.append(one.id)
            if one.id == "b":
                last.set()

        queue = CameraQueue(follow, ToldSeldom())
        for event in ("a", "defect", "b"):
            queue.put(tracked(event))
        await last.wait()
        await queue.end(5)
        return followed

    assert asyncio.run(run()) == ["a", "b"]


def test_what_happens_often_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = [0.0]
    seldom = ToldSeldom(lambda: now[0])
    for _ in range(1000):
        seldom.say("a message is none of Frigate's", "a\nb\x1b[2J")
    assert len(caplog.records) == 1
    assert "\n" not in caplog.text.rstrip("\n")
    assert "\x1b" not in caplog.text
    now[0] = 61.0
    seldom.say("a message is none of Frigate's", "c")
    assert "(1000 times): c" in caplog.text


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["type", "after", "id", "camera", "label"]), inner)
        ),
        max_leaves=10,
    ).map(lambda value: repr(value).encode())
)
def test_whatever_is_no_message_of_frigate_is_refused_as_such(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_event(payload)
