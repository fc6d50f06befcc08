"""A model update against its predecessor, from dumps of predictions, embeddings and texts: measured here, judged by rules."""
