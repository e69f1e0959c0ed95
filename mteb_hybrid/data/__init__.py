"""Where texts come from: LAReQA files, collections of the user's own, the generated world."""
