"""What goes beyond the exercise: a file for each ingredient, none of which a reader of the network needs."""
