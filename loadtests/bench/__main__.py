"""`python -m loadtests.bench` is `dtms-lab bench`."""

from loadtests.cli import main

if __name__ == "__main__":
    main(["bench"])
