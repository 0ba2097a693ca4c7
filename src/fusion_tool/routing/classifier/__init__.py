"""What can be told of a question before anybody is asked."""
