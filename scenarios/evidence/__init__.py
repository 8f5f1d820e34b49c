"""What a history says about trades, in the words checkers use. Reads; judges nothing."""
