"""Passes of the encoder: who shares one, who goes first, what is dropped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from threading import Event, current_thread
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from adapters.embeddings import ImageEmbeddings
from service.encoding import micro_batching
from service.encoding.backpressure import AdmissionControl
from service.encoding.encoding_request import EncodingRequest, InvalidImages
from service.encoding.fair_queue import Priority
from service.encoding.micro_batching import MicroBatcher
from service.encoding.throughput import Throughput
from service.problems import Overloaded
from tests.service.held import Held, until

NOTHING = dict.fromkeys(Priority, 0)


def rows(pixels: Tensor) -> ImageEmbeddings:
    """A row says which image it is of; image 13 breaks its pass."""
    if 13 in pixels:
        raise ArithmeticError("13 cannot be encoded")
    return ImageEmbeddings(pixels.float(), -pixels.float())


def prepare(number: int) -> tuple[str, list[Tensor]]:
    if number < 0:
        raise ValueError(f"{number} is no image")
    return f"image {number}", [torch.tensor([number])]


class Bench:
    """A batcher whose passes are held; images are numbers."""

    def __init__(self, max_batch: int = 4, passes: int = 1, decoders: int = 2) -> None:
        self.held = Held(rows)
        self.batcher = MicroBatcher(
            self.held, max_batch=max_batch, passes=passes, decoders=decoders
        )

    def ask(
        self,
        *numbers: int,
        key: str = "a",
        priority: Priority = Priority.QUERIES,
        prepare: Callable[[int], tuple[str, list[Tensor]]] = prepare,
        item_errors: tuple[type[Exception], ...] = (),
        inputs: int = 1,
    ) -> EncodingRequest[int, str]:
        return self.batcher.submit(numbers, prepare, key, priority, item_errors, inputs=inputs)

    async def decoded(self, number: int) -> None:
        """Wait until so many images wait for a pass."""
        await until(lambda: len(self.batcher._pixels) == number)

    async def busy(self) -> EncodingRequest[int, str]:
        """Occupy the encoder: nothing else is encoded until a pass is let go."""
        request = self.ask(0, key="busy")
        await asyncio.to_thread(self.held.begun, 1)
        return request

    @property
    def batches(self) -> list[list[int]]:
        return [batch.flatten().tolist() for batch in self.held.batches]


@asynccontextmanager
async def bench(**options: int) -> AsyncIterator[Bench]:
    made = Bench(**options)
    try:
        yield made
    finally:
        made.held.let()
        await asyncio.to_thread(made.batcher.close)


def in_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(asyncio.wait_for(test(), 60))

    run.__name__ = test.__name__
    return run


def numbers(answer: list[tuple[str, list[ImageEmbeddings]]]) -> list[int]:
    """Which images were answered, checked to be whole."""
    found = []
    for metadata, [row] in answer:
        [[number]] = row.frozen.tolist()
        assert row.corrected.tolist() == [[-number]]
        assert metadata == f"image {int(number)}"
        found.append(int(number))
    return found


@in_loop
async def test_an_image_that_comes_alone_is_encoded_at_once() -> None:
    async with bench() as b:
        request = b.ask(5)
        await asyncio.to_thread(b.held.begun, 1)
        assert b.batches == [[5]]
        b.held.let(1)
        assert numbers(await request.answer) == [5]


@in_loop
async def test_images_that_come_during_a_pass_share_the_next() -> None:
    async with bench() as b:
        first = await b.busy()
        requests = [b.ask(n) for n in (1, 2, 3)]
        await b.decoded(3)
        b.held.let()
        assert numbers(await first.answer) == [0]
        assert [numbers(await request.answer) for request in requests] == [[1], [2], [3]]
        assert len(b.batches) == 2
        assert sorted(b.batches[1]) == [1, 2, 3]


@in_loop
async def test_answers_keep_the_order_of_the_images() -> None:
    async with bench(max_batch=3, passes=2, decoders=3) as b:
        b.held.let()
        order = [7, 3, 99, 1, 1, 50, 2, *range(200, 260)]
        assert numbers(await b.ask(*order).answer) == order
        assert b.held.most <= 2
        assert max(map(len, b.batches)) <= 3


@in_loop
async def test_as_many_passes_as_allowed_run_at_the_same_time() -> None:
    async with bench(passes=2) as b:
        first = b.ask(1)
        await asyncio.to_thread(b.held.begun, 1)
        second = b.ask(2)
        await asyncio.to_thread(b.held.begun, 2)
        assert b.held.most == 2
        b.held.let()
        assert numbers(await first.answer + await second.answer) == [1, 2]


@in_loop
async def test_one_query_does_not_wait_for_a_hundred_of_another_classifier() -> None:
    async with bench(max_batch=4, decoders=1) as b:
        await b.busy()
        many = b.ask(*range(100, 200), key="many")
        await b.decoded(b.batcher.window)
        single = b.ask(1, key="single")
        await b.decoded(b.batcher.window + 1)
        b.held.let(1)
        await asyncio.to_thread(b.held.begun, 2)
        assert 1 in b.batches[1]
        b.held.let()
        assert numbers(await single.answer) == [1]
        assert numbers(await many.answer) == list(range(100, 200))


@in_loop
async def test_a_query_goes_before_a_registration() -> None:
    async with bench(max_batch=4) as b:
        await b.busy()
        registration = b.ask(*range(100, 150), priority=Priority.REGISTRATIONS)
        await b.decoded(b.batcher.window)
        query = b.ask(1)
        await b.decoded(b.batcher.window + 1)
        b.held.let(1)
        await asyncio.to_thread(b.held.begun, 2)
        assert b.batches[1] == [1]
        b.held.let()
        assert numbers(await query.answer) == [1]
        assert numbers(await registration.answer) == list(range(100, 150))


@in_loop
async def test_one_pass_is_left_free_of_registrations() -> None:
    async with bench(max_batch=2, passes=3) as b:
        registration = b.ask(*range(100, 120), priority=Priority.REGISTRATIONS)
        await asyncio.to_thread(b.held.begun, 2)
        await b.decoded(b.batcher.window - sum(map(len, b.batches)))
        query = b.ask(1)
        await asyncio.to_thread(b.held.begun, 3)
        assert b.batches[2] == [1]
        b.held.let()
        assert numbers(await query.answer) == [1]
        assert numbers(await registration.answer) == list(range(100, 120))


@in_loop
async def test_registrations_have_all_quick_passes_while_nobody_asks() -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(micro_batching, "_BEARABLE", 60.0)  # quick, on a busy machine as well
        await have_all_passes_while_nobody_asks()


async def have_all_passes_while_nobody_asks() -> None:
    async with bench(max_batch=2, passes=2) as b:
        registration = b.ask(*range(100, 120), priority=Priority.REGISTRATIONS)
        await asyncio.to_thread(b.held.begun, 1)
        await b.decoded(b.batcher.window - len(b.batches[0]))
        assert len(b.batches) == 1  # how long a pass takes is not known yet
        b.held.let(1)
        await asyncio.to_thread(b.held.begun, 3)
        assert b.held.most == 2
        query = b.ask(1)
        b.held.let(1)
        await asyncio.to_thread(b.held.begun, 4)
        assert b.batches[3] == [1]
        b.held.let(1)
        await asyncio.to_thread(b.held.begun, 5)
        b.held.let(1)  # the query's
        assert numbers(await query.answer) == [1]
        await asyncio.sleep(0.05)
        assert len(b.batches) == 5  # someone has just asked: one is left free
        b.held.let()
        assert numbers(await registration.answer) == list(range(100, 120))


@in_loop
async def test_slow_passes_are_left_free_even_while_nobody_asks() -> None:
    async with bench(max_batch=2, passes=2) as b:
        registration = b.ask(*range(100, 120), priority=Priority.REGISTRATIONS)
        await asyncio.to_thread(b.held.begun, 1)
        await asyncio.sleep(0.1)
        b.held.let(1)
        await asyncio.to_thread(b.held.begun, 2)
        await asyncio.sleep(0.05)
        assert len(b.batches) == 2
        b.held.let()
        assert numbers(await registration.answer) == list(range(100, 120))


@in_loop
async def test_a_query_is_decoded_before_the_rest_of_a_registration() -> None:
    decoding, go = Event(), Event()
    seen: list[int] = []

    def slowly(number: int) -> tuple[str, list[Tensor]]:
        seen.append(number)
        decoding.set()
        assert go.wait(30)
        return prepare(number)

    async with bench(decoders=1) as b:
        b.held.let()
        registration = b.ask(*range(100, 120), priority=Priority.REGISTRATIONS, prepare=slowly)
        await asyncio.to_thread(decoding.wait, 30)
        query = b.ask(1, prepare=slowly)
        go.set()
        assert numbers(await query.answer) == [1]
        await registration.answer
        assert seen[:2] == [100, 1]


@in_loop
async def test_a_request_has_no_more_images_in_work_than_its_window() -> None:
    seen: list[int] = []

    def noted(number: int) -> tuple[str, list[Tensor]]:
        seen.append(number)
        return prepare(number)

    async with bench(max_batch=2) as b:
        await b.busy()
        request = b.ask(*range(100, 150), priority=Priority.REGISTRATIONS, prepare=noted)
        await b.decoded(b.batcher.window)
        assert seen == list(range(100, 100 + b.batcher.window))
        assert b.batcher.waiting == {**NOTHING, Priority.QUERIES: 1, Priority.REGISTRATIONS: 50}
        b.held.let()
        assert numbers(await request.answer) == list(range(100, 150))
        assert b.batcher.waiting == NOTHING


@in_loop
async def test_a_pass_that_fails_fails_its_own_images_alone() -> None:
    async with bench(max_batch=2, decoders=1) as b:
        await b.busy()
        requests = [b.ask(n) for n in (1, 13, 2, 3)]
        await b.decoded(4)
        b.held.let()
        for request in requests[:2]:
            with pytest.raises(ArithmeticError, match="13"):
                await request.answer
        assert [numbers(await request.answer) for request in requests[2:]] == [[2], [3]]
        assert b.batches == [[0], [1, 13], [2, 3]]


@in_loop
async def test_an_image_that_cannot_be_decoded_ends_its_request_alone() -> None:
    async with bench(max_batch=2, decoders=1) as b:
        await b.busy()
        bad, good = b.ask(1, -1, *range(100, 150)), b.ask(2)
        with pytest.raises(ValueError, match="-1"):
            await bad.answer
        b.held.let()
        assert numbers(await good.answer) == [2]
        assert b.batches == [[0], [2]]


@in_loop
async def test_error_aggregation_decodes_all_images_and_encodes_no_more() -> None:
    async with bench(max_batch=2, decoders=1) as b:
        await b.busy()
        bad = b.ask(
            1,
            -1,
            *range(100, 150),
            -2,
            -3,
            priority=Priority.REGISTRATIONS,
            item_errors=(ValueError,),
        )
        good = b.ask(2)
        with pytest.raises(InvalidImages) as invalid:
            await bad.answer
        assert list(invalid.value.errors) == [1, 52, 53]
        assert [str(e) for e in invalid.value.errors.values()] == [
            f"{number} is no image" for number in (-1, -2, -3)
        ]
        # What they were raised in would hold the bytes of the files.
        assert all(error.__traceback__ is None for error in invalid.value.errors.values())
        b.held.let()
        assert numbers(await good.answer) == [2]
        assert b.batches == [[0], [2]]
        assert not any(b.batcher.waiting.values())


@in_loop
async def test_error_aggregation_ends_the_request_on_an_unexpected_error() -> None:
    async with bench(max_batch=2, decoders=1) as b:
        await b.busy()
        request = b.ask(1, -1, *range(100, 150), item_errors=(KeyError,))
        with pytest.raises(ValueError, match="-1"):
            await request.answer
        assert b.batcher.waiting[Priority.QUERIES] == 1


@in_loop
async def test_error_aggregation_stops_decoding_when_withdrawn() -> None:
    async with bench(max_batch=2, decoders=1) as b:
        await b.busy()
        request = b.ask(-1, -2, *range(100, 1000), item_errors=(ValueError,))
        b.batcher.withdraw(request)
        await until(lambda: not b.batcher._files)
        assert b.batcher.waiting[Priority.QUERIES] == 1
        assert request.answer.cancelled()


@in_loop
async def test_a_withdrawn_request_is_not_encoded() -> None:
    async with bench() as b:
        await b.busy()
        gone = b.ask(*range(100, 150))
        await b.decoded(b.batcher.window)
        b.batcher.withdraw(gone)
        assert gone.answer.cancelled()
        assert b.batcher.waiting[Priority.QUERIES] == 1
        stays = b.ask(1)
        b.held.let()
        assert numbers(await stays.answer) == [1]
        assert b.batches == [[0], [1]]


@in_loop
async def test_a_request_withdrawn_during_its_pass_has_no_answer_and_disturbs_no_other() -> None:
    async with bench(max_batch=2, decoders=1) as b:
        gone, stays = b.ask(1, 2, 3), b.ask(4)
        await asyncio.to_thread(b.held.begun, 1)
        assert 1 in b.batches[0]
        b.batcher.withdraw(gone)
        b.batcher.withdraw(gone)
        b.held.let()
        assert numbers(await stays.answer) == [4]
        assert gone.answer.cancelled()
        assert not any(b.batcher.waiting.values())


@in_loop
async def test_a_withdrawn_request_is_not_decoded() -> None:
    decoding, go = Event(), Event()
    seen: list[int] = []

    def slowly(number: int) -> tuple[str, list[Tensor]]:
        seen.append(number)
        decoding.set()
        assert go.wait(30)
        return prepare(number)

    async with bench(decoders=1) as b:
        b.held.let()
        gone = b.ask(1, 2, 3, prepare=slowly)
        await asyncio.to_thread(decoding.wait, 30)
        b.batcher.withdraw(gone)
        go.set()
        assert numbers(await b.ask(5).answer) == [5]
        assert seen == [1]
        assert b.batches == [[5]]


@in_loop
async def test_closing_ends_the_pass_and_cancels_what_waits() -> None:
    b = Bench()
    first = await b.busy()
    waits = b.ask(*range(1, 9))
    await b.decoded(8)
    closing = asyncio.create_task(asyncio.to_thread(b.batcher.close))
    await until(lambda: b.batcher._closed)
    b.held.let()
    await closing
    assert numbers(await first.answer) == [0]
    assert waits.answer.cancelled()
    assert b.batches == [[0]]


def refused(admission: AdmissionControl, images: int, key: str, priority: Priority) -> Overloaded:
    with pytest.raises(Overloaded) as raised:
        admission.admit(images, key, priority)
    return raised.value


def stub(**waiting: int) -> Any:
    throughput = Throughput()
    throughput.begin(100.0)
    throughput.note(10, 102.0)
    return SimpleNamespace(
        throughput=throughput, waiting=NOTHING | {Priority(name): n for name, n in waiting.items()}
    )


def test_admission_refuses_what_exceeds_the_limit_until_one_is_released() -> None:
    admission = AdmissionControl(stub(queries=4, registrations=0), 4)
    for _ in range(4):
        admission.admit(1, "a", Priority.QUERIES)
    refused(admission, 1, "a", Priority.QUERIES)
    admission.release(1, "a", Priority.QUERIES)
    admission.admit(1, "a", Priority.QUERIES)
    refused(admission, 1, "a", Priority.QUERIES)


def test_a_large_request_counts_for_a_quarter_of_what_may_wait() -> None:
    admission = AdmissionControl(stub(queries=0, registrations=0), 9)
    for priority in (Priority.REGISTRATIONS, Priority.QUERIES):
        for _ in range(4):
            admission.admit(2000, "a", priority)
        admission.admit(1, "a", priority)
        refused(admission, 1, "a", priority)
        admission.release(2000, "a", priority)
        admission.admit(3000, "a", priority)
        refused(admission, 1, "a", priority)


def test_the_largest_request_is_admitted_under_the_smallest_limit() -> None:
    admission = AdmissionControl(stub(queries=0, registrations=0), 1)
    admission.admit(2000, "a", Priority.REGISTRATIONS)
    refused(admission, 1, "a", Priority.REGISTRATIONS)


def test_registrations_do_not_keep_queries_out() -> None:
    admission = AdmissionControl(stub(queries=0, registrations=0), 1)
    admission.admit(2000, "a", Priority.REGISTRATIONS)
    refused(admission, 1, "a", Priority.REGISTRATIONS)
    admission.admit(1, "a", Priority.QUERIES)


def test_one_classifier_does_not_keep_the_others_out() -> None:
    admission = AdmissionControl(stub(queries=0, registrations=0), 4)
    for _ in range(4):
        admission.admit(1, "flood", Priority.QUERIES)
    refused(admission, 1, "flood", Priority.QUERIES)
    admission.admit(1, "other", Priority.QUERIES)
    refused(admission, 1, "other", Priority.QUERIES)
    for key in ("third", "fourth", "fifth"):
        admission.admit(1, key, Priority.QUERIES)
    refused(admission, 1, "sixth", Priority.QUERIES)


def test_overloaded_says_in_retry_after_when_to_come_again() -> None:
    # Five images a second.
    admission = AdmissionControl(stub(queries=14, registrations=100), 1)
    for priority in (Priority.QUERIES, Priority.REGISTRATIONS):
        admission.admit(1, "a", priority)
    assert refused(admission, 1, "a", Priority.QUERIES).headers == {"retry-after": "3"}
    assert refused(admission, 1, "a", Priority.REGISTRATIONS).headers == {"retry-after": "23"}


def test_retry_after_is_one_second_before_any_pass() -> None:
    batcher = stub(queries=50, registrations=0)
    batcher.throughput = Throughput()
    admission = AdmissionControl(batcher, 1)
    admission.admit(1, "a", Priority.QUERIES)
    assert refused(admission, 1, "a", Priority.QUERIES).headers == {"retry-after": "1"}


def test_throughput_leaves_out_idle_time() -> None:
    throughput = Throughput()
    throughput.begin(0.0)
    throughput.note(10, 1.0)
    throughput.begin(1000.0)
    throughput.note(10, 1001.0)
    assert throughput.seconds(20) == pytest.approx(2.0)


def test_throughput_is_a_moving_average_of_recent_passes() -> None:
    throughput = Throughput()
    throughput.begin(0.0)
    now = 0.0
    for _ in range(50):
        now += 1.0
        throughput.note(10, now)
    for _ in range(50):
        now += 1.0
        throughput.note(1, now)
    assert throughput.seconds(10) == pytest.approx(10.0, rel=0.1)


def threefold(number: int) -> tuple[str, list[Tensor]]:
    """Three inputs: the number, and two that come after it."""
    metadata, _ = prepare(number)
    return metadata, [torch.tensor([number + i / 4]) for i in range(3)]


@in_loop
async def test_an_image_of_several_inputs_is_answered_with_all_of_them_in_order() -> None:
    async with bench(max_batch=2, decoders=2) as b:
        request = b.ask(*range(1, 9), prepare=threefold, inputs=3)
        assert b.batcher.waiting[Priority.QUERIES] == 24
        b.held.let()
        for number, (metadata, rows) in enumerate(await request.answer, 1):
            assert metadata == f"image {number}"
            assert [row.frozen.item() for row in rows] == [number, number + 0.25, number + 0.5]
        assert all(len(batch) <= 2 for batch in b.batches)
        assert b.batcher.waiting[Priority.QUERIES] == 0


@in_loop
async def test_a_query_waits_for_one_pass_of_an_image_of_many_inputs() -> None:
    async with bench(max_batch=2) as b:
        await b.busy()
        views = b.ask(1, 2, prepare=threefold, inputs=3, priority=Priority.REGISTRATIONS)
        await b.decoded(3)  # one image in work has more inputs than two passes take
        query = b.ask(9, key="b")
        await b.decoded(4)
        b.held.let(2)
        assert numbers(await query.answer) == [9]
        assert not views.answer.done()
        b.held.let()
        assert [metadata for metadata, _ in await views.answer] == ["image 1", "image 2"]


@in_loop
async def test_a_window_of_inputs_is_in_work_and_at_least_one_image() -> None:
    async with bench(max_batch=2, decoders=1) as b:  # a window of four
        for inputs, images in ((1, 4), (2, 2), (3, 1), (9, 1)):
            request = b.ask(
                *range(20), inputs=inputs, prepare=lambda n: (str(n), [torch.tensor(n)] * 9)
            )
            assert len(request.started) == images
            b.batcher.withdraw(request)
        assert b.batcher.waiting[Priority.QUERIES] == 0


@in_loop
async def test_an_image_at_fault_takes_the_inputs_of_the_others_out_of_the_queue() -> None:
    async with bench(max_batch=2, decoders=2) as b:
        await b.busy()
        request = b.ask(1, inputs=3, prepare=threefold, item_errors=(ValueError,))
        await b.decoded(3)
        both = b.ask(5, -1, inputs=2, prepare=threefold, item_errors=(ValueError,), key="b")
        with pytest.raises(InvalidImages) as invalid:
            await both.answer
        assert list(invalid.value.errors) == [1]
        await b.decoded(3)
        b.held.let()
        [(_, rows)] = await request.answer
        assert len(rows) == 3
        assert b.batcher.waiting[Priority.QUERIES] == 0


@in_loop
async def test_a_request_withdrawn_in_the_midst_of_an_image_leaves_nothing() -> None:
    async with bench(max_batch=2) as b:
        gone = b.ask(1, 2, 3, prepare=threefold, inputs=3)
        await asyncio.to_thread(b.held.begun, 1)
        b.batcher.withdraw(gone)
        await b.decoded(0)
        assert b.batcher.waiting[Priority.QUERIES] == 0
        b.held.let()
        assert numbers(await b.ask(7).answer) == [7]
        assert b.batcher.waiting[Priority.QUERIES] == 0


@in_loop
async def test_a_lone_query_is_answered_by_the_thread_that_decodes_it() -> None:
    async with bench(passes=2) as b:
        threads: list[str] = []

        def named(number: int) -> tuple[str, list[Tensor]]:
            threads.append(current_thread().name)
            return prepare(number)

        def at_once(_: ImageEmbeddings) -> None:
            threads.append(current_thread().name)

        b.held.let()
        submit = partial(b.batcher.submit, key="a", priority=Priority.QUERIES, at_once=at_once)
        for number in range(5):
            await until(lambda: b.batcher._idle_decoders == 2)
            await submit([number], named).answer
        assert len(threads) == 10
        assert all(threads[i] == threads[i + 1] for i in range(0, 10, 2))
        assert all(name.startswith("decoder") for name in threads)


@in_loop
async def test_nothing_is_done_at_once_while_others_wait_for_a_thread() -> None:
    async with bench(max_batch=1) as b:
        done: list[int] = []
        first = b.batcher.submit(
            [1], prepare, "a", Priority.QUERIES, at_once=lambda _: done.append(1)
        )
        await asyncio.to_thread(b.held.begun, 1)
        second = b.batcher.submit(
            [2], prepare, "b", Priority.QUERIES, at_once=lambda _: done.append(2)
        )
        await b.decoded(1)
        b.held.let()
        await asyncio.gather(first.answer, second.answer)
        assert done == [2]


@in_loop
async def test_what_is_done_at_once_fails_its_request_alone() -> None:
    async with bench() as b:

        def broken(_: ImageEmbeddings) -> None:
            raise ArithmeticError("there is no answer")

        b.held.let()
        refused = b.batcher.submit([1], prepare, "a", Priority.QUERIES, at_once=broken)
        with pytest.raises(ArithmeticError, match="no answer"):
            await refused.answer
        assert (await b.ask(2).answer)[0][0] == "image 2"
        assert not any(b.batcher.waiting.values())


@in_loop
async def test_a_lone_decoder_hands_on_and_passes_are_never_more_than_allowed() -> None:
    async with bench(decoders=1) as b:
        asked = [b.ask(1)]
        await asyncio.to_thread(b.held.begun, 1)
        asked += [b.ask(number, key=str(number)) for number in range(2, 6)]
        await b.decoded(4)  # the only decoder is not the one that encodes
        b.held.let()
        await asyncio.gather(*(one.answer for one in asked))
        assert b.held.most == 1
