"""`python -m scenarios` is `dtms-lab` but for the commands that need `loadtests`."""

from scenarios.cli import main

main()
