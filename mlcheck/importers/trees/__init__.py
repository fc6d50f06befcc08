"""Tree models: XGBoost's and LightGBM's dumps, and what a forest tells of a run."""
