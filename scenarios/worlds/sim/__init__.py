"""The world `sim`: a whole episode in one process, under virtual time, from one seed."""
