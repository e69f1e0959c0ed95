"""English pairs made parallel by a translation model, and the gates that a translation must pass."""
