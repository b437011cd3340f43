"""The board of slices and the limits of workers, without any pool."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.pack_jobs import jobs as _jobs
from tests.support.pack_jobs import only_these_crashed
from tests.support.studies import fake_train, tiny_task
from wiring_search.workers.jobs import PackJob, PackResult, Rung, Status
from wiring_search.workers.limits import Limits, parts
from wiring_search.workers.slices import LOSSES, Board, join


@given(st.data())
def test_whatever_happens_to_slices_every_job_comes_back_whole(data: st.DataObject) -> None:
    board, jobs = Board(), _jobs(data.draw(st.integers(1, 3)), data.draw(st.integers(1, 6)))
    poison = data.draw(st.sets(st.integers(0, 17)))
    results, out = {}, []
    for job in jobs:
        board.add(job)

    def note(done: PackResult | None) -> None:
        if done is not None:
            assert done.number not in results
            results[done.number] = done

    while board.queued or out:
        if board.queued and (not out or data.draw(st.booleans())):
            piece = board.take(
                data.draw(st.integers(1, 4)), data.draw(st.none() | st.integers(1, 4))
            )
            assert piece is not None
            out.append(piece)
            continue
        piece = out.pop(data.draw(st.integers(0, len(out) - 1)))
        part = board.job(piece)
        if any(candidate.seed in poison for candidate in part.candidates):
            note(board.record_failure(piece, "poison"))
        elif piece.losses < LOSSES and data.draw(st.integers(0, 3)) == 0:
            note(board.record_loss(piece, "its node went"))
        elif len(piece.indices) > 1 and data.draw(st.integers(0, 3)) == 0:
            note(board.record_too_large(piece))
        else:
            note(board.record_result(piece, fake_train(tiny_task(), part)))
    assert board.waiting == board.under_way == 0
    only_these_crashed(jobs, results, tuple(poison), "poison")


def test_a_slice_under_which_nodes_keep_going_is_suspected_in_the_end() -> None:
    board = Board()
    board.add(_jobs(1, candidates=2)[0])
    sizes = []
    while board.queued:
        piece = board.take()
        sizes.append(len(piece.indices))
        result = board.record_loss(piece, "its node went")
    assert sizes.count(2) == LOSSES + 1
    assert {outcome.status for outcome in result.outcomes} == {Status.CRASHED}


def test_a_stopped_job_is_as_far_as_its_slowest_slice() -> None:
    board, (job, never) = Board(), _jobs(2, candidates=4)
    states = (b"a", b"b", b"c", b"d")
    job = PackJob(job.number, Rung(1, 9, 4, start=3), job.candidates, 0, states)
    board.add(job)
    board.add(never)
    first, second = board.take(parts=4), board.take(parts=4)
    assert board.stop() == []
    assert board.take() is None
    assert board.record_result(first, fake_train(tiny_task(), board.job(first))) is None
    whole = board.record_failure(second, "died while it was stopped")
    assert whole.stopped_at == 3
    assert whole.outcomes[0].status is not Status.RUNNING
    assert [(o.status, o.state) for o in whole.outcomes[1:]] == [
        (Status.RUNNING, state) for state in states[1:]
    ]
    halves = [
        PackResult(job.number, whole.outcomes[:2], "w"),
        PackResult(job.number, whole.outcomes[2:], "v", stopped_at=5),
    ]
    assert join(job, [((2, 3), halves[1]), ((0, 1), halves[0])]) == PackResult(
        job.number, whole.outcomes, "v, w", stopped_at=5
    )


def test_slices_are_as_large_as_speed_and_memory_allow() -> None:
    assert [parts(speed, 10.0) for speed in (10.0, 9.0, 7.0, 5.0, 3.4, 1.0)] == [1, 1, 1, 2, 3, 10]
    learned = Limits()
    assert learned.most("small", 1e9) is None
    learned.record_use(1, 10**8)
    learned.record_use(10, 2 * 10**8)
    learned.record_use(5, 10**9)  # a smaller slice says less
    assert learned.most("small", 1e9) == 40
    assert learned.most("tiny", 1.0) == 1
    learned.record_too_large("small", 17)
    learned.record_too_large("small", 30)
    assert learned.most("small", 1e9) == 8
    assert learned.most("large", 1e9) == 40
