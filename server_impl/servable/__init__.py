"""SavedModels as things that can be run: loading, execution, warm-up, batching."""
