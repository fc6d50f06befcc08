"""SageMaker Debugger trials: tensors, reductions, collections and trees that smdebug wrote (formats.md §4)."""
