"""The DTMS API's contract as named checks, for any server."""
