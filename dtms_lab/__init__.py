"""The command `dtms-lab`, as it is installed: a name that no project of a user's has."""
