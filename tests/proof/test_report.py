"""The published proof says what the results say, and nothing else."""

from proof.report import DOCUMENT, read_results, render


def test_the_page_is_written_from_the_results() -> None:
    assert render(read_results()) == DOCUMENT.read_text(), "python -m proof.report writes it anew"
