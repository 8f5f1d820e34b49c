"""`python -m loadtests` is `dtms-lab`."""

from loadtests.cli import main

main()
