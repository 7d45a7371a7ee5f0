"""`python -m overbookr` is the same as `overbookr`."""

from overbookr.cli import main

main()
