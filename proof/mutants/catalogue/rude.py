"""Defects that rude clients would live on: who sends slowly, stops halfway, or does not read."""

from proof.mutants.mutant import defect, tests

_ARRIVING = "http/arriving.py"
_FRONT = "http/front.py"
_LONG = "http/long_answers.py"
_EACH_KIND = tests("proof/test_rude.py::test_the_server_ends_whoever_is_rude")

RUDE = (
    defect(
        "half-sent-bodies-take-room",
        "Requests whose bodies never come fill the house.",
        _FRONT,
        "        if not is_gathered(scope, length, is_chunked):\n",
        "        if scope:\n",
        tests("http/test_arriving.py::test_half_sent_bodies_take_nobody_elses_room"),
    ),
    defect(
        "half-sent-bodies-wait-for-ever",
        "A body that stops halfway is awaited without end.",
        _ARRIVING,
        "            task.cancel()\n",
        "",
        tests("http/test_arriving.py::test_a_body_that_stops_halfway_is_answered_and_its_connection_closed"),
        _EACH_KIND,
        raises=("TimeoutError",),
    ),
    defect(
        "half-sent-bodies-fill-the-memory",
        "What bodies on their way take of memory has no bound.",
        _ARRIVING,
        '                    return "busy"\n',
        "                    pass\n",
        tests("http/test_arriving.py::test_what_half_sent_bodies_take_of_memory_is_bounded"),
        raises=("TimeoutError",),
    ),
    defect(
        "crowds-come-back-as-soon-as-few",
        "However many are refused, each of them is back after a second.",
        "http/admission.py",
        "(shortest + crowded * (longest - shortest))",
        "shortest",
        tests("http/test_admission.py::test_the_larger_the_crowd_the_longer_it_pauses"),
    ),
    defect(
        "refused-bodies-take-room",
        "While the rest of a refused body is awaited, its request has room that others want.",
        _FRONT,
        "                await _send_problem(send, refusal, is_unread=True)\n",
        "                await _send_problem(send, refusal, is_unread=True)\n"
        "                await self._end_unread(send, receive)\n",
        tests("http/test_arriving.py::test_refused_bodies_take_nobody_elses_room_while_the_rest_of_them_is_awaited"),
    ),
    defect(
        "silent-clients-stay",
        "Who connects and says nothing keeps the connection for ever.",
        "serving.py",
        "http=HTTPModes.http1,",
        "http=HTTPModes.auto,",
        _EACH_KIND,
    ),
    defect(
        "unread-answers-stay",
        "Who does not read an answer keeps it, and the connection, for ever.",
        "processes.py",
        "            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))\n",
        "            listener.getsockname()\n",
        _EACH_KIND,
    ),
    defect(
        "long-answers-lie-in-the-server",
        "An answer is given to the server whole, however long it is and however slowly it is read.",
        _LONG,
        "    return len(body) > limits.LONG_ANSWER_BYTES_MIN\n",
        "    return len(body) < 0\n",
        tests("http/test_long_answers.py::test_a_long_answer_is_given_in_parts"),
        tests("http/test_long_answers.py::test_a_server_takes_little_of_what_nobody_reads"),
        raises=("TimeoutError",),
    ),
    defect(
        "slow-readers-take-room",
        "Clients that read slowly, or not at all, fill the house.",
        _FRONT,
        '                    exchange.long_body = fields["body"]\n',
        '                    for at in range(0, len(fields["body"]), 16_384):\n'
        '                        part = fields["body"][at : at + 16_384]\n'
        '                        rest = at + 16_384 < len(fields["body"])\n'
        '                        await send({"type": "http.response.body", "body": part, "more_body": rest})\n',
        tests("http/test_long_answers.py::test_who_does_not_read_gets_no_more_parts_and_takes_nobodys_room"),
        raises=("TimeoutError",),
    ),
    defect(
        "unread-maps-fill-the-memory",
        "Each version of a map is kept for as long as somebody does not read it.",
        _LONG,
        "        while self.bytes > limits.LONG_ANSWERS_BYTES_MAX:\n",
        "        while self.bytes < 0:\n",
        tests("http/test_long_answers.py::test_who_has_taken_nothing_for_the_longest_is_let_go_when_there_is_too_much"),
        raises=("TimeoutError",),
    ),
    defect(
        "slow-readers-are-let-go-first",
        "Whoever began to read first is let go, however well they read, and whoever does not read stays.",
        _LONG,
        "            self._bodies.move_to_end(task)\n",
        "            self._bodies.move_to_end(task, last=bool(start))\n",
        tests("http/test_long_answers.py::test_who_has_taken_nothing_for_the_longest_is_let_go_when_there_is_too_much"),
        raises=("TimeoutError",),
    ),
    defect(
        "a-map-is-counted-by-its-readers",
        "A map that many read is taken for as many maps, and its readers are let go.",
        _LONG,
        "        if self._readers[id(body)] > 1:\n",
        "        if not body:\n",
        tests("http/test_long_answers.py::test_who_does_not_read_gets_no_more_parts_and_takes_nobodys_room"),
    ),
    defect(
        "who-left-is-sent-the-rest",
        "A client that has left is sent its long answer to the end.",
        _LONG,
        "            if leaving.done():\n",
        "            if leaving.cancelled():\n",
        tests("http/test_long_answers.py::test_who_leaves_is_sent_nothing_more"),
    ),
    defect(
        "the-kernel-keeps-what-nobody-reads",
        "For each client that does not read, the kernel takes megabytes.",
        "processes.py",
        "            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limits.UNSENT_BYTES_MAX)\n",
        "            listener.getsockname()\n",
        tests("test_processes.py::test_connections_inherit_what_the_listening_socket_is_told_as_soon_as_it_listens"),
    ),
    defect(
        "unread-answers-hold-up-a-stop",
        "A process that stops waits for those who do not read, until it is killed.",
        "processes.py",
        "                connection.shutdown(socket.SHUT_RDWR)\n",
        "                connection.getsockname()\n",
        tests("test_processes.py::test_who_does_not_read_is_cut_off_and_who_has_read_is_not"),
        tests("api/test_draining.py::test_who_does_not_read_does_not_hold_up_an_instance_that_stops"),
        raises=("BlockingIOError",),
    ),
)
