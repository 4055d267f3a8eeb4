"""Work that threads do ahead of their caller."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.runtime.prefetch import map_ahead


def test_results_keep_the_order_of_their_items_whoever_is_faster():
    slow = threading.Event()

    def work(item):
        if item == 0:
            slow.wait(10)
        if item == 1:
            slow.set()  # the second item ends before the first
        return item * item

    assert list(map_ahead(ThreadPoolExecutor(2), work, range(20), 3)) == [i * i for i in range(20)]


def test_only_a_few_items_are_read_ahead():
    read = []

    def items():
        for item in range(1000):
            read.append(item)
            yield item

    results = map_ahead(ThreadPoolExecutor(2), int, items(), 3)
    assert next(results) == 0
    assert len(read) == 4
    results.close()


def test_an_error_of_the_work_reaches_the_caller_after_the_results_before_it():
    results = map_ahead(ThreadPoolExecutor(2), lambda item: 1 / item, [1, 2, 0, 4], 3)
    assert [next(results), next(results)] == [1.0, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)
