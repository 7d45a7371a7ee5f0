import pytest

from overbookr.http.etag import if_none_match, is_match, make_etag


@pytest.mark.parametrize(
    "candidates",
    ['"7"', 'W/"7"', "*", " * ", '"1", "7"', '"1",W/"7" , "9"', '"a,b", "7"', '"7",', '  "7"  '],
)
def test_lists_that_name_the_tag(candidates: str) -> None:
    assert is_match(make_etag(7), candidates)


@pytest.mark.parametrize("candidates", [None, "", '"77"', "7", '"1", 7', '"7', 'w/"7"', '"a" "7"', '"*"', '*, "7"'])
def test_lists_that_do_not(candidates: str | None) -> None:
    assert not is_match(make_etag(7), candidates)


def test_a_tag_with_a_comma_in_it() -> None:
    assert is_match('"a,b"', '"x", "a,b"')
    assert not is_match('"a"', '"x,a", "a,b"')


@pytest.mark.parametrize("value", ['a"b', "a b", "a\nb", "ü€"])
def test_values_that_no_tag_can_hold(value: str) -> None:
    with pytest.raises(ValueError, match="entity tag"):
        make_etag(value)


def test_several_header_lines_are_one_list() -> None:
    headers = [(b"if-none-match", b'"1"'), (b"accept", b"*/*"), (b"if-none-match", b'"7"')]
    assert is_match('"7"', if_none_match(headers))
    assert if_none_match([(b"accept", b"*/*")]) is None
