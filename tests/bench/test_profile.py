"""What profiles are read from, and what is drawn of them."""

from xml.etree import ElementTree

from bench.flames import draw_flames, innermost, prune
from bench.hot_paths import flames, render_profile
from bench.plans import read_plans
from bench.profile import read_stacks

_STAMP = "2030-01-01 00:00:00.000 UTC [{}] overbookr api "
_LOG = """\
{one}LOG:  duration: 0.300 ms  plan:
\tQuery Text: update seats s
\t     set status = 'held'
\tUpdate on seats s  (cost=0.4..2.6 rows=1 width=34) (actual rows=2.00 loops=1)
\t  ->  Index Scan using seats_pkey on seats s
{one}CONTEXT:  PL/pgSQL function move_seats(text,text) line 5 at SQL statement
\tSQL statement "select move_seats()"
\tPL/pgSQL function place_holds(timestamptz) line 50 at PERFORM
{two}LOG:  duration: 7.000 ms  plan:
\tQuery Text: select 1
\tResult  (cost=0.00..0.01 rows=1 width=4) (actual rows=1.00 loops=1)
{one}LOG:  something else
\tQuery Text: not a plan
{one}LOG:  duration: 0.500 ms  plan:
\tQuery Text: select move_seats()
\tResult  (cost=0.00..0.26 rows=1 width=4) (actual rows=1.00 loops=1)
{one}CONTEXT:  PL/pgSQL function place_holds(timestamptz) line 50 at PERFORM
{one}LOG:  duration: 1.000 ms  plan:
\tQuery Text: select * from place_holds($1)
\tFunction Scan on place_holds  (cost=0.00..0.26 rows=1 width=4) (actual rows=1.00 loops=1)
""".format(one=_STAMP.format(11), two=_STAMP.format(12))


def test_statements_have_their_function_and_what_they_call_is_known() -> None:
    told = {each.statement: each.told() for each in read_plans(_LOG.splitlines(keepends=True))}
    assert {statement: each["calls"] for statement, each in told.items()} == {
        "select 1": False,
        "update seats s set status = 'held'": False,
        "select move_seats()": True,
        "select * from place_holds($1)": True,
    }
    update = told["update seats s set status = 'held'"]
    assert (update["function"], update["median_ms"], update["count"]) == ("move_seats", 0.3, 1)
    assert update["plan"].startswith("Update on seats")
    assert update["plan"].endswith("on seats s")
    assert told["select move_seats()"]["function"] == "place_holds"
    assert told["select * from place_holds($1)"]["function"] == ""


def test_stacks_are_read_and_what_is_narrow_stays_with_its_caller() -> None:
    stacks = read_stacks("main (a.py);serve (b.py) 900\nmain (a.py);rare (c.py);rarer (d.py) 1\nmain (a.py) 99\n")
    assert prune(stacks) == {("main (a.py)", "serve (b.py)"): 900, ("main (a.py)",): 100}
    assert innermost(prune(stacks), 1) == [("serve (b.py)", 0.9)]


def test_flames_are_as_wide_as_their_share_and_load_nothing() -> None:
    drawn = draw_flames("A <path>", {("main (overbookr/a.py)",): 1, ("main (overbookr/a.py)", "serve (b.py)"): 3})
    root = ElementTree.fromstring(drawn)
    widths = [float(node.attrib["width"]) for node in root.iter() if node.tag.endswith("rect")]
    assert widths == [1200, 1200, 900]
    assert not [node for node in root.iter() if node.tag.endswith(("script", "style"))]


def test_the_page_tells_of_each_path() -> None:
    statements = [each.told() for each in read_plans(_LOG.splitlines(keepends=True)) if not each.calls]
    path = {
        "says": "Holds", "samples": 4, "stacks": [[["main (a.py)"], 4]], "explained_ms": 7.3, "statements": statements,
    }  # fmt: skip
    profile = {"commit": "abc", "changed_since": False, "paths": {"hold": path}}
    page = render_profile(profile)
    assert "| `main (a.py)` | 100.0% |" in page
    assert "| `update seats s set status = 'held'` | move_seats | 1 | 300 | 4% |" in page
    assert "(performance/flames-hold.svg)" in page
    assert set(flames(profile)) == {"flames-hold"}
