"""Studies: a grid of recipes, trained and evaluated cell by cell, on as many machines as there are."""
