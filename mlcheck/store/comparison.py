"""Roles of the facts that a comparison measures (`mlcheck compare`), with the words for them in messages."""

COMPARISON_ROLES = {
    "prediction_overlap": "predictions of both models",
    "prediction_flips": "labels with predictions of both models",
    "slice_flips": "slices",
    "graded_change": "graded scores of both models",
    "forgetting": "predictions at several steps",
    "retrieval_compatibility": "embeddings of both models",
    "retrieval_metrics": "embeddings of both models",
    "retrieval_versions": "embeddings of several versions",
    "retrieval_backfill": "a gallery embedded by both models",
    "embedding_drift": "embeddings of the same examples by both models",
    "rewrite_quality": "rewrites with entities",
    "rewrite_decision": "examples that need no rewrite",
    "generation": "hypotheses with references",
    "copy_gate": "copy gates or attention of a pointer network",
    "learned_limit": "learned limits",
    "run_change": "a baseline run",
    "run_speed": "wall times of a baseline run",
}
"""Role to what a run must hold for it."""
