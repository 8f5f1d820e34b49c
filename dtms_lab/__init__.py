"""What a user meets of the lab, by a name no project has: the command and the pytest plugin."""
