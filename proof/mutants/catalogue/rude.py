"""Defects that rude clients would live on: who sends slowly, stops halfway, or does not read."""

from proof.mutants.mutant import defect, tests

_ARRIVING = "http/arriving.py"
_FRONT = "http/front.py"
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
)
