"""Chains: which tasks share a launch though one waits for the other, and which are worth it."""

from __future__ import annotations

from backends.triton_cuda.chains import kept, levels

OWN, ALL = True, False


def test_tasks_that_wait_for_their_own_sample_share_a_launch() -> None:
    edges = [{}, {0: OWN}, {1: OWN}, {0: OWN, 2: ALL}, {3: OWN, 1: OWN}]
    found, stuck = levels(edges, [True, False, True, False, False])
    assert not stuck
    assert found == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


def test_a_chain_ends_before_its_products_are_too_many() -> None:
    edges = [{}, *({i: OWN} for i in range(11))]
    found, stuck = levels(edges, [True] * 12)
    assert not stuck
    assert [level for level, _ in found] == [0] * 4 + [1] * 4 + [2] * 4
    assert [place for _, place in found] == [0, 1, 2, 3] * 3


def test_order_within_and_between_launches_is_that_of_the_edges() -> None:
    edges = [{}, {}, {0: OWN, 1: ALL}, {2: OWN}, {2: ALL, 3: OWN}, {4: OWN, 0: ALL}]
    found, _ = levels(edges, [True] * 6)
    for task, before in enumerate(edges):
        for other, own in before.items():
            assert found[other] < found[task]
            assert own or found[other][0] < found[task][0]


def test_tasks_that_wait_for_each_other_are_named() -> None:
    assert levels([{}, {2: OWN}, {1: ALL}, {0: OWN}], [False] * 4) == ([], {1, 2})


def test_chains_have_a_product_and_end_with_what_the_chain_reads() -> None:
    # 0 -> 1 -> 2 (a product) -> 3, a sum that only other samples' tasks read; 4 -> 5 without one
    edges = [{}, {0: OWN}, {1: OWN}, {2: OWN}, {}, {4: OWN}, {3: ALL}]
    assert kept(7, [False, False, True, False, False, False, True], edges) == {0, 1, 2}
    assert kept(7, [False] * 7, edges) == set()
