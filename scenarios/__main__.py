"""`python -m scenarios` is `dtms-lab`."""

from scenarios.cli import main

main()
