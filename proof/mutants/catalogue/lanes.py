"""Defects of the way of a command through Python: batches, lanes, retries, lost connections."""

from proof.mutants.mutant import Edit, Mutant, defect, tests

_LANE = "writes/lane.py"
_ERRORS = "database/errors.py"
_LOST_HOLD = (
    "writes/test_lost_answers.py::test_a_command_whose_answer_is_lost_is_done_once"
    "[postgresql-18-hold-before the client hears]"
)

LANES = (
    defect(
        "batch-mixes-what-collides",
        "Commands that want the same seat or use the same share meet in one batch.",
        "batching.py",
        "free = taken.isdisjoint(waiting.keys)",
        "free = True",
        tests("test_batching.py::test_items_that_share_a_key_never_meet_and_keep_their_order"),
        tests("writes/test_keys.py::test_a_lane_full_of_holds_of_one_user_gives_one_share"),
    ),
    defect(
        "batch-lets-others-overtake",
        "A command that had to wait is overtaken by a later one that wants the same.",
        "batching.py",
        "            taken.update(waiting.keys)\n",
        "            if free:\n                taken.update(waiting.keys)\n",
        tests("test_batching.py::test_every_key_sees_its_items_in_the_order_of_arrival"),
    ),
    defect(
        "full-queue-takes-more",
        "A queue that is full takes more all the same.",
        "batching.py",
        "if self._stopping or len(self._queue) >= self._queue_max:",
        "if self._stopping:",
        tests("test_batching.py::test_a_full_queue_refuses_at_once"),
        raises=("TimeoutError",),
    ),
    defect(
        "late-commands-begun",
        "A command is begun although nobody listens for its answer any more.",
        "batching.py",
        "if waiting.arrived < too_late:",
        "if False:",
        tests("test_batching.py::test_what_waited_too_long_is_refused_and_never_begun"),
        raises=("TimeoutError",),
    ),
    defect(
        "batch-mixes-a-users-holds",
        "Two holds of one user meet in a batch, and each has the whole share.",
        "holds/model.py",
        "return [(event_id, self.user_id), *[(event_id, seat_no) for seat_no in self.seat_nos]]",
        "return [(event_id, seat_no) for seat_no in self.seat_nos]",
        tests("writes/test_keys.py::test_commands_of_one_user_at_one_event_never_meet"),
        tests("writes/test_keys.py::test_a_lane_full_of_holds_of_one_user_gives_one_share"),
    ),
    defect(
        "batch-mixes-holds-of-a-seat",
        "Two holds of one seat meet in a batch, which the database then refuses as a whole.",
        "holds/model.py",
        "return [(event_id, self.user_id), *[(event_id, seat_no) for seat_no in self.seat_nos]]",
        "return [(event_id, self.user_id)]",
        tests("writes/test_keys.py::test_holds_that_share_a_seat_never_meet"),
    ),
    defect(
        "lane-by-user",
        "Commands of one event are in many lanes, which wait for each other's locks.",
        "writes/writer.py",
        "self._lanes[command.event_id.int % len(self._lanes)]",
        "self._lanes[command.user_id.int % len(self._lanes)]",
        tests("writes/test_batches.py::test_an_event_has_one_lane"),
    ),
    defect(
        "deadlocks-not-retried",
        "A transaction that lost a deadlock is not tried again.",
        _ERRORS,
        '_RETRYABLE = frozenset({"40001", "40P01"})',
        '_RETRYABLE = frozenset({"40001"})',
        tests(
            "writes/test_batches.py::test_a_transaction_that_lost_against_another_is_tried_again[postgresql-18-40P01]"
        ),
    ),
    defect(
        "error-type-never-matches",
        "No error of the database is recognised as one to try again after.",
        _ERRORS,
        "    return sqlstate_of(error) in _RETRYABLE",
        "    return sqlstate_of(ValueError(error)) in _RETRYABLE",
        tests("writes/test_batches.py::test_a_transaction_that_lost_against_another_is_tried_again"),
        tests("database/test_errors.py::test_a_real_deadlock_is_retryable"),
    ),
    Mutant(
        "retried-too-often",
        "A transaction that loses is tried more often than promised.",
        (
            Edit(_LANE, "range(limits.RETRIES_MAX + 1)", "range(limits.RETRIES_MAX + 3)"),
            Edit(_LANE, "last = attempt == limits.RETRIES_MAX", "last = attempt == limits.RETRIES_MAX + 2"),
        ),
        (tests("writes/test_batches.py::test_it_is_tried_a_bounded_number_of_times"),),
    ),
    defect(
        "lost-connection-not-recognised",
        "A lost connection is an error like any other, whether or not it had committed.",
        _ERRORS,
        "    return is_connection_lost(error) or isinstance(error, TimeoutError)",
        "    return False",
        tests(_LOST_HOLD),
        raises=("OSError", "ConnectionDoesNotExistError"),
    ),
    defect(
        "asked-again-as-if-new",
        "After a lost connection the batch is sent as if it were new, so that it meets its own effects.",
        _LANE,
        "                    again = True\n",
        "                    again = False\n",
        tests(_LOST_HOLD),
    ),
    defect(
        "unknown-outcome-told-as-busy",
        "When nobody can say whether a command was done, the client is told that it was not.",
        _LANE,
        "                        raise OutcomeUnknown from error",
        "                        raise LaneBusy from error",
        tests(
            "writes/test_lost_answers.py::"
            "test_when_no_answer_can_be_had_the_outcome_is_unknown_and_asking_again_later_tells"
        ),
    ),
    defect(
        "replay-forgets-that-it-is-again",
        "Commands that are replayed one by one after a lost answer are sent as if they were new.",
        _LANE,
        "again=defect.may_be_done)",
        "again=False)",
        tests("writes/test_lost_answers.py::test_a_defect_met_while_asking_again_does_not_forget_that_it_is_again"),
    ),
    defect(
        "defect-of-one-fails-all",
        "An error that one command meets fails the whole batch.",
        _LANE,
        "            if len(commands) == 1:\n                return [defect.error]\n",
        "            if commands:\n                return [defect.error] * len(commands)\n",
        tests("writes/test_batches.py::test_a_defect_that_one_command_meets_fails_that_command_only"),
    ),
    defect(
        "commands-of-a-batch-mixed-up",
        "A command is told another one's outcome.",
        _LANE,
        "            place = places[kind][number - 1]\n",
        "            place = places[kind][-number]\n",
        tests("writes/test_batches.py::test_a_mixed_batch_answers_each_command_in_its_place"),
    ),
    defect(
        "replay-not-marked",
        "A repeated booking is not said to be a repetition.",
        "writes/outcomes.py",
        'replayed=outcome == "booking_replayed")',
        "replayed=False)",
        tests("api/test_booking_keys.py::test_the_same_key_and_body_have_the_same_answer"),
        raises=("KeyError",),
    ),
)
