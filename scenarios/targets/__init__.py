"""What is under test: clients and servers, named by a string on the command line."""
