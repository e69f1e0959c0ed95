"""Files of settings: YAML whose values know their lines, models that say in words what they may hold."""
