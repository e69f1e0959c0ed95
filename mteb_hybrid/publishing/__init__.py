"""Publishing on the Hugging Face Hub: models with their results and card, and the data of tasks."""
