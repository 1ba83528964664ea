"""What holds for any model, whatever it computes: tried with inputs made up from its own metadata."""
